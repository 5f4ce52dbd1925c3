//! The document against the routes.

use crate::router::{open, v1};
use serde_json::Value;

const ROUTES: &[(&str, &str, &str)] = &[
    ("get", "/v1/customers", "200 400 401 403 405 429 500 503"),
    ("post", "/v1/customers", "200 201 202 400 401 403 405 409 413 415 429 500 503"),
    ("post", "/v1/customers/bulk", "200 400 401 403 405 413 415 429 500 503"),
    ("post", "/v1/customers/find", "200 400 401 403 405 413 415 429 500"),
    ("get", "/v1/accounts", "200 400 401 403 405 429 500 503"),
    ("post", "/v1/accounts", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("post", "/v1/accounts/bulk", "200 400 401 403 405 413 415 429 500 503"),
    ("post", "/v1/accounts/find", "200 400 401 403 405 413 415 429 500"),
    ("get", "/v1/accounts/{number}", "200 400 401 403 404 405 429 500 503"),
    ("post", "/v1/accounts/{number}/close", "200 202 400 401 403 404 405 409 413 415 422 429 500 503"),
    ("get", "/v1/accounts/{number}/changes", "200 400 401 403 404 405 429 500 503"),
    ("post", "/v1/accounts/{number}/changes", "200 202 400 401 403 404 405 409 413 415 422 429 500 503"),
    ("get", "/v1/accounts/{number}/holds", "200 400 401 403 404 405 429 500 503"),
    ("post", "/v1/holds", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("get", "/v1/holds/{id}", "200 400 401 403 404 405 429 500 503"),
    ("post", "/v1/holds/{id}/captures", "200 201 202 400 401 403 404 405 409 413 415 422 429 500 503"),
    ("post", "/v1/holds/{id}/releases", "200 201 202 400 401 403 404 405 409 413 415 422 429 500 503"),
    ("post", "/v1/transfers/{id}/reversals", "200 201 202 400 401 403 404 405 409 413 415 422 429 500 503"),
    ("get", "/v1/accounts/{number}/entries", "200 400 401 403 404 405 429 500 503"),
    ("get", "/v1/accounts/{number}/balance", "200 400 401 403 404 405 410 429 500 503"),
    ("get", "/v1/accounts/{number}/statement", "200 400 401 403 404 405 410 429 500 503"),
    ("post", "/v1/transfers", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("post", "/v1/transfers/bulk", "200 400 401 403 405 413 415 429 500 503"),
    ("post", "/v1/transfers/multi-leg", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("get", "/v1/transfers/{id}", "200 400 401 403 404 405 429 500 503"),
    ("post", "/v1/deposits", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("post", "/v1/withdrawals", "200 201 202 400 401 403 405 409 413 415 422 429 500 503"),
    ("get", "/v1/branches", "200 400 401 403 405 429 500"),
    ("get", "/v1/in-doubt", "200 400 401 403 405 429 500"),
    ("post", "/v1/in-doubt/{batch}/resolve", "200 400 401 403 404 405 429 500 503"),
    ("get", "/v1/audit", "200 400 401 403 405 429 500 503"),
    ("post", "/v1/audits", "200 202 400 401 403 405 409 413 415 429 500 503"),
    ("get", "/v1/audits/{id}", "200 400 401 403 404 405 429 500 503"),
    ("get", "/v1/reports/trial-balance", "200 400 401 403 405 429 500 503"),
    ("get", "/healthz", "200"),
    ("get", "/readyz", "200 503"),
    ("get", "/metrics", "200"),
    ("get", "/openapi.json", "200"),
];

fn document() -> Value {
    let (_, document) = v1().merge(open()).split_for_parts();
    serde_json::from_slice(&super::json(&document)).unwrap()
}

#[test]
fn every_route_is_described_with_every_status() {
    let document = document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&str> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            found.push(format!("{method} {path}: {}", statuses.join(" ")));
        }
    }
    let mut expected: Vec<String> =
        ROUTES.iter().map(|(method, path, all)| format!("{method} {path}: {all}")).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_document_is_openapi_3_1_with_a_bearer_key() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["security"], serde_json::json!([{"key": []}]));
    assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], serde_json::json!([{}]));
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    let mut references = text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(references.all(|name| document["components"]["schemas"].get(name).is_some_and(Value::is_object)));
    assert!(document["components"]["schemas"]["Problem"]["properties"]["type"].is_object());
}

#[test]
fn operation_ids_are_unique() {
    let document = document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    let all = ids.len();
    assert_eq!(all, ROUTES.len());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
