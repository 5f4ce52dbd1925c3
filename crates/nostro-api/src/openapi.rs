//! The OpenAPI document: what the routes say of themselves, with what is true of all of them.
//!
//! Statuses that many routes share are sets here, so that a route lists what is its own and names the sets. The
//! document is drawn once, when the router is built.

use crate::problem::{PROBLEM_JSON, ProblemBody, problem_codes};
use crate::view::transfer::{TransferView, UnknownTransfer};
use axum::body::Bytes;
use std::collections::BTreeMap;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, OneOfBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder,
    ResponsesBuilder, Schema,
};
use utoipa::{IntoResponses, ToSchema};

/// The name of the security scheme.
const BEARER: &str = "key";
const INTRODUCTION: &str = "A bank whose branches are PostgreSQL databases. Every POST that makes, changes or moves something carries \
    a client-chosen `id` and is idempotent by it. Money is minor units as text. Problems are RFC 9457 with a stable `code`; `retry` says whether to send \
    the same id again. 409 and 422 are final, but for 409 `audit_running`; 503 says that this attempt moved nothing; any other 5xx, a timeout \
    and a cut connection leave it unknown: send the same id again.";

type Answers = BTreeMap<String, RefOr<Response>>;

/// What every route with a key may answer instead.
pub(crate) struct Refused;

/// What every route with a body may answer instead.
pub(crate) struct BodyRefused;

/// What every route that asks a branch may answer instead.
pub(crate) struct Unavailable;

/// The outcomes of moving money.
pub(crate) struct MoneyMoved;

impl IntoResponses for Refused {
    fn responses() -> Answers {
        problems(&[
            ("400", "`invalid_request` or `unknown_branch`: `errors` names the fields. Nothing moved."),
            ("401", "`unauthorized`: no key, or an unknown one. Nothing moved."),
            ("403", "`forbidden` by the key's role, or `origin_not_allowed`. Nothing moved."),
            ("405", "`method_not_allowed`"),
            ("429", "`rate_limited`: see `Retry-After`. Nothing moved; send the same id again."),
            ("500", "`internal_error`: it is unknown whether money moved; send the same id again."),
        ])
    }
}

impl IntoResponses for BodyRefused {
    fn responses() -> Answers {
        problems(&[
            ("413", "`payload_too_large`: above 4 MiB. Nothing moved."),
            ("415", "`unsupported_media_type`: not application/json. Nothing moved."),
        ])
    }
}

impl IntoResponses for Unavailable {
    fn responses() -> Answers {
        let codes = "`branch_unavailable`, `account_in_doubt`, `queue_full`, `busy`, `clock_skew` or `intake_closed`";
        let description = format!("{codes}: this attempt moved nothing; send the same id again after `Retry-After`.");
        problems(&[("503", &description)])
    }
}

impl IntoResponses for MoneyMoved {
    fn responses() -> Answers {
        let transfer = reference::<TransferView>();
        let committed_or_unknown = OneOfBuilder::new().item(transfer.clone()).item(reference::<UnknownTransfer>());
        let posted = ResponseBuilder::new()
            .description("`posted`: committed at every branch.")
            .header("Location", header("The transfer."))
            .content("application/json", ContentBuilder::new().schema(Some(transfer.clone())).build());
        let replayed = ResponseBuilder::new()
            .description("The same id and content again: its present state.")
            .header("Idempotent-Replayed", header("`true`"))
            .content("application/json", ContentBuilder::new().schema(Some(transfer)).build());
        let accepted = ResponseBuilder::new()
            .description(
                "`settling`: decided and committed, a branch has yet to finish. `unknown`: not known yet whether \
                 it was decided; send the same id again.",
            )
            .header("Location", header("The transfer."))
            .content(
                "application/json",
                ContentBuilder::new().schema(Some(Schema::OneOf(committed_or_unknown.build()))).build(),
            );
        let mut answers: Answers = ResponsesBuilder::new()
            .response("200", replayed)
            .response("201", posted)
            .response("202", accepted)
            .build()
            .responses
            .into_iter()
            .collect();
        answers.extend(problems(&[
            ("409", "`id_conflict`: the id was used with other content; `errors` names the field."),
            ("422", "A business refusal: final, recorded, and replayed as the same 422 with `Idempotent-Replayed`."),
        ]));
        answers
    }
}

/// The document before its routes.
pub(crate) fn document() -> OpenApi {
    let mut components = Components::new();
    components.add_security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let mut schemas = vec![(ProblemBody::name().into_owned(), <ProblemBody as utoipa::PartialSchema>::schema())];
    schemas.push((TransferView::name().into_owned(), <TransferView as utoipa::PartialSchema>::schema()));
    schemas.push((UnknownTransfer::name().into_owned(), <UnknownTransfer as utoipa::PartialSchema>::schema()));
    ProblemBody::schemas(&mut schemas);
    TransferView::schemas(&mut schemas);
    UnknownTransfer::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let mut info = Info::new("Nostro", env!("CARGO_PKG_VERSION"));
    info.description = Some(format!("{INTRODUCTION} Codes: {}.", problem_codes().join(", ")));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])]))
        .build()
}

/// The finished document as JSON.
pub(crate) fn json(document: &OpenApi) -> Bytes {
    serde_json::to_vec(document).expect("the document has text keys only").into()
}

fn problems(answers: &[(&str, &str)]) -> Answers {
    let content = || ContentBuilder::new().schema(Some(reference::<ProblemBody>())).build();
    let response = |description: &str| ResponseBuilder::new().description(description).content(PROBLEM_JSON, content());
    let answer = |(status, description): &(&str, &str)| {
        let response = response(description);
        let response = match *status {
            "401" => response.header("WWW-Authenticate", header("`Bearer`")),
            "429" | "503" => response.header("Retry-After", header("Seconds.")),
            _ => response,
        };
        ((*status).to_owned(), RefOr::T(response.build()))
    };
    answers.iter().map(answer).collect()
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().description(Some(description)).build()
}

fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// A test's: the schema's properties are the fields that a body's reader knows.
#[cfg(test)]
pub(crate) fn assert_properties(schema: &RefOr<utoipa::openapi::schema::Schema>, fields: &[&str]) {
    let schema = serde_json::to_value(schema).unwrap();
    let properties: std::collections::BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(properties, fields.iter().copied().collect());
}

#[cfg(test)]
mod tests;
