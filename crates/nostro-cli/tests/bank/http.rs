//! HTTP: every status of the API's table is reachable, and bad input names the field and the rule.

use nostro_torture::databases::{AUDITOR_KEY, Databases, KEY};
use nostro_torture::money::{cash, open, pay, told};
use nostro_torture::server::Server;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Sends a body and gives status, headers and the JSON answer.
async fn send(
    server: &Server,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> (u16, reqwest::header::HeaderMap, Value) {
    let method: reqwest::Method = method.parse().unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", server.url)).bearer_auth(KEY);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn bad_input_names_the_field_and_the_rule_and_moves_nothing() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let good = || {
        json!({"id": Uuid::now_v7(), "debit_account": az.to_string(), "credit_account": tx.to_string(),
               "amount": "100", "currency": "USD", "category": 1, "reference": "rent"})
    };
    for (field, value, pointer) in [
        ("amount", json!(100), "/amount"),
        ("amount", json!("0"), "/amount"),
        ("amount", json!("1.00"), "/amount"),
        ("amount", json!("-5"), "/amount"),
        ("amount", Value::Null, "/amount"),
        ("currency", json!("usd"), "/currency"),
        ("id", json!("not-a-uuid"), "/id"),
        ("id", json!("00000000-0000-0000-0000-000000000000"), "/id"),
        ("debit_account", json!("AZ94000000001042"), "/debit_account"),
        ("credit_account", json!(az.to_string()), "/credit_account"),
        ("credit_account", json!("NV53000000001042"), "/credit_account"),
        ("category", json!(70_000), "/category"),
        ("reference", json!(" "), "/reference"),
        ("reference", json!("x".repeat(141)), "/reference"),
        ("amuont", json!("100"), "/amuont"),
    ] {
        let mut body = good();
        body[field] = value.clone();
        let (status, headers, problem) = send(&server, "POST", "/v1/transfers", Some(&body.to_string())).await;
        assert_eq!(status, 400, "{field} {value}: {problem}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{field} {value}: {problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().len() > 10, "{problem}");
        assert_eq!(problem["retry"], "never");
    }
    for body in ["", "{", "[]", "\"x\"", "{\"id\": 1, \"id\": 2}"] {
        let (status, _, problem) = send(&server, "POST", "/v1/transfers", Some(body)).await;
        assert_eq!(status, 400, "{body}: {problem}");
    }
    let (status, _, problem) = send(&server, "POST", "/v1/transfers/bulk", Some("{\"transfers\": []}")).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/transfers")));
    let mut wrong = good();
    wrong["amount"] = json!("x");
    let bulk = json!({"transfers": [good(), wrong]}).to_string();
    let (status, _, problem) = send(&server, "POST", "/v1/transfers/bulk", Some(&bulk)).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/transfers/1/amount")));
    for path in [
        "/v1/accounts?branch=AZ&limit=0",
        "/v1/accounts?branch=AZ&limit=201",
        "/v1/accounts?branch=az",
        "/v1/accounts?branch=NV",
        "/v1/accounts?branch=AZ&offset=3",
        "/v1/accounts?branch=AZ&cursor=nonsense",
        "/v1/transfers/not-a-uuid",
    ] {
        let (status, _, problem) = send(&server, "GET", path, None).await;
        assert_eq!(status, 400, "{path}: {problem}");
    }
    assert_eq!(nostro_torture::money::balance(&server.client, az).await, 1_000);
    databases.finish().await;
}

#[tokio::test]
async fn every_status_of_the_table_is_reachable() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let body = serde_json::to_string(&pay(az, tx, 100)).unwrap();
    let (status, headers, transfer) = send(&server, "POST", "/v1/transfers", Some(&body)).await;
    assert_eq!((status, transfer["state"].as_str(), transfer["amount"].as_str()), (201, Some("posted"), Some("100")));
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("idempotent-replayed"));
    let (status, headers, _) = send(&server, "POST", "/v1/transfers", Some(&body)).await;
    assert_eq!((status, headers["idempotent-replayed"].to_str().unwrap()), (200, "true"));
    let (status, _, problem) = send(&server, "POST", "/v1/transfers", Some(&body.replace("\"100\"", "\"101\""))).await;
    assert_eq!(
        (status, problem["code"].as_str(), problem["errors"][0]["pointer"].as_str()),
        (409, Some("id_conflict"), Some("/amount"))
    );
    let poor = serde_json::to_string(&pay(az, tx, 100_000)).unwrap();
    let (status, _, problem) = send(&server, "POST", "/v1/transfers", Some(&poor)).await;
    assert_eq!((status, problem["type"].as_str()), (422, Some("/problems/insufficient_funds")));
    assert!(problem["detail"].as_str().unwrap().contains("1000.00 USD"), "{problem}");
    assert_eq!(send(&server, "GET", &format!("/v1/transfers/{}", Uuid::now_v7()), None).await.0, 404);
    assert_eq!(send(&server, "GET", "/v1/accounts/AZ02000000077777", None).await.0, 400, "check digits");
    let missing = nostro_core::AccountNumber::new(nostro_torture::money::code("AZ"), 77_777).unwrap();
    assert_eq!(send(&server, "GET", &format!("/v1/accounts/{missing}"), None).await.0, 404);
    assert_eq!(send(&server, "GET", "/v1/nothing", None).await.0, 404);
    assert_eq!(send(&server, "DELETE", "/v1/accounts", None).await.0, 405);
    let huge = format!("{{\"reference\": \"{}\"}}", "x".repeat(5_000_000));
    assert_eq!(send(&server, "POST", "/v1/transfers", Some(&huge)).await.0, 413);

    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", server.url);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(http.get(url("/v1/branches"))).await, 401);
    assert_eq!(status(http.get(url("/v1/branches")).bearer_auth("wrong")).await, 401);
    assert_eq!(status(http.post(url("/v1/transfers")).bearer_auth(AUDITOR_KEY).json(&json!({}))).await, 403);
    let foreign = http.get(url("/v1/branches")).bearer_auth(KEY).header("origin", "http://evil.example");
    assert_eq!(status(foreign).await, 403);
    let allowed = http.get(url("/v1/branches")).bearer_auth(KEY).header("origin", "http://allowed.example");
    let allowed = allowed.send().await.unwrap();
    assert_eq!(
        (allowed.status().as_u16(), &allowed.headers()["access-control-allow-origin"]),
        (200, &"http://allowed.example".parse().unwrap())
    );
    assert_eq!(status(http.post(url("/v1/transfers")).bearer_auth(KEY).body(body.clone())).await, 415);
    assert_eq!(status(http.get(url("/healthz"))).await, 200);
    assert_eq!(status(http.get(url("/readyz"))).await, 200);

    databases.cluster_mut("TX").stop(nostro_local::Stop::Fast).unwrap();
    let later = serde_json::to_string(&pay(az, tx, 1)).unwrap();
    let (status, headers, problem) = send(&server, "POST", "/v1/transfers", Some(&later)).await;
    assert_eq!(
        (status, problem["code"].as_str(), problem["retry"].as_str()),
        (503, Some("branch_unavailable"), Some("same_id"))
    );
    assert!(headers.contains_key("retry-after"));
    databases.cluster_mut("AZ").stop(nostro_local::Stop::Fast).unwrap();
    nostro_torture::money::health_is(&server, "AZ", "unreachable").await;
    nostro_torture::money::health_is(&server, "TX", "unreachable").await;
    assert_eq!(reqwest::get(url("/readyz")).await.unwrap().status().as_u16(), 503);
    assert_eq!(reqwest::get(url("/healthz")).await.unwrap().status().as_u16(), 200);
    for code in ["AZ", "TX"] {
        databases.cluster_mut(code).start().unwrap();
    }
    nostro_torture::money::health_is(&server, "AZ", "reachable").await;
    databases.finish().await;
}

#[tokio::test]
async fn a_key_that_asks_too_much_is_told_to_slow_down() {
    let databases = Databases::start().await;
    let server = Server::start_with_setting(&databases, "requests_per_second_max = 5\n").await;
    let mut limited = None;
    for _ in 0..50 {
        let (status, headers, problem) = send(&server, "GET", "/v1/branches", None).await;
        if status == 429 {
            limited = Some((headers, problem));
            break;
        }
    }
    let (headers, problem) = limited.expect("fifty requests in a moment are more than five a second");
    assert!(headers.contains_key("retry-after"));
    assert_eq!((problem["code"].as_str(), problem["retry"].as_str()), (Some("rate_limited"), Some("same_id")));
    databases.finish().await;
}

#[tokio::test]
async fn customers_and_accounts_are_made_once_and_listed_newest_first() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let customer = json!({"id": Uuid::now_v7(), "branch": "AZ", "name": "Ada Lovelace"});
    let (status, _, made) = send(&server, "POST", "/v1/customers", Some(&customer.to_string())).await;
    assert_eq!(status, 201);
    let (status, headers, again) = send(&server, "POST", "/v1/customers", Some(&customer.to_string())).await;
    assert_eq!((status, headers["idempotent-replayed"].to_str().unwrap(), &again), (200, "true", &made));
    let mut other = customer.clone();
    other["name"] = json!("Grace Hopper");
    let (status, _, problem) = send(&server, "POST", "/v1/customers", Some(&other.to_string())).await;
    assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (409, Some("/name")));
    let account = json!({"id": Uuid::now_v7(), "customer": made["number"], "kind": "checking", "currency": "USD"});
    let (status, _, opened) = send(&server, "POST", "/v1/accounts", Some(&account.to_string())).await;
    assert_eq!(
        (status, opened["number"].as_str(), opened["available"].as_str()),
        (201, Some("AZ93000000001042"), Some("0"))
    );
    let (status, _, again) = send(&server, "POST", "/v1/accounts", Some(&account.to_string())).await;
    assert_eq!((status, &again["number"]), (200, &opened["number"]));
    let mut nobody = account.clone();
    nobody["id"] = json!(Uuid::now_v7());
    nobody["customer"] = json!(
        nostro_core::CustomerNumber::new(nostro_torture::money::code("AZ"), 999_999_999_999).unwrap().to_string()
    );
    let (status, _, problem) = send(&server, "POST", "/v1/accounts", Some(&nobody.to_string())).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("customer_not_found")));

    for _ in 0..5 {
        open(client, "AZ", 0).await;
    }
    let mut seen = Vec::new();
    let mut page = nostro_client::Page { limit: Some(2), cursor: None };
    loop {
        let listing = client.accounts(nostro_torture::money::code("AZ"), &page).await.unwrap();
        assert!(listing.data.len() <= 2);
        seen.extend(listing.data.iter().map(|account| account.number));
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7, "six customers' accounts and the cash account: {seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first, each once: {seen:?}");

    // Closing: empty only, once, and by the same request again.
    let account = seen[0];
    let first = Uuid::now_v7();
    assert_eq!(told(&client.deposit(&cash(account, 5)).await), "posted");
    let close = async |id: Uuid| {
        let path = format!("/v1/accounts/{account}/close");
        let (status, _, body) = send(&server, "POST", &path, Some(&json!({"id": id}).to_string())).await;
        (status, body["code"].as_str().or(body["state"].as_str()).unwrap().to_owned())
    };
    assert_eq!(close(first).await, (422, "account_not_empty".into()));
    assert_eq!(told(&client.withdraw(&cash(account, 5)).await), "posted");
    assert_eq!(close(first).await, (200, "closed".into()));
    assert_eq!(close(first).await, (200, "closed".into()));
    assert_eq!(close(Uuid::now_v7()).await, (422, "account_closed".into()));
    databases.finish().await;
}

#[tokio::test]
async fn the_metrics_show_batches_and_health() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    assert_eq!(told(&server.client.transfer(&pay(az, tx, 1)).await), "posted");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let metrics = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
    for name in [
        "nostro_transfers_total{outcome=\"posted\"}",
        "nostro_batches_total{verdict=\"committed\"}",
        "nostro_batch_transfers",
        "nostro_prepared{branch=\"TX\"} 0",
        "nostro_http_requests_total",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
}
