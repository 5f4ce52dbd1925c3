//! The body that begins a full audit.

use crate::fields::{self, Errors, Fields, Pointer};
use crate::json::JsonValue;
use crate::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

const FIELDS: [&str; 2] = ["id", "from_scratch"];

/// An audit to be begun.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
#[schema(as = NewAudit)]
pub(crate) struct NewAuditBody {
    /// The client's id and idempotency key; version 7 is advised.
    id: Uuid,
    /// Whether every row that is there is read again, also of months that are closed and were found right before.
    #[schema(default = false)]
    from_scratch: Option<bool>,
}

/// An audit to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewAudit {
    /// The client's id.
    pub(crate) id: Uuid,
    /// Whether every row is read.
    pub(crate) from_scratch: bool,
}

/// An audit from a body.
pub(crate) fn new_audit(value: JsonValue<'_>) -> Result<NewAudit, Problem> {
    let mut errors = Errors::default();
    let audit = Fields::read(value, Pointer::Body, &FIELDS, &mut errors).and_then(|mut fields| {
        let id = fields.required("id", |value| fields::id(&value));
        let from_scratch = fields.optional("from_scratch", false, |value| fields::flag(&value));
        Some(NewAudit { id: id?, from_scratch: from_scratch? })
    });
    errors.none_or(audit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    fn read(text: &str) -> Result<NewAudit, String> {
        new_audit(JsonValue::parse(text.as_bytes()).unwrap()).map_err(|problem| {
            let body = serde_json::to_value(problem.body("", "")).unwrap();
            body["detail"].as_str().unwrap().to_owned()
        })
    }

    #[test]
    fn an_audit_has_an_id_and_may_be_from_scratch() {
        let id = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";
        for (rest, expected) in [("", false), (r#","from_scratch":true"#, true), (r#","from_scratch":null"#, false)] {
            let audit = read(&format!(r#"{{"id":"{id}"{rest}}}"#)).unwrap();
            assert_eq!((audit.id.to_string().as_str(), audit.from_scratch), (id, expected));
        }
        for (body, expected) in [
            ("{}".to_owned(), "/id: this field is missing"),
            (format!(r#"{{"id":"{id}","from_scratch":"yes"}}"#), "/from_scratch: expected true or false, found text"),
            (format!(r#"{{"id":"{id}","full":true}}"#), "/full: unknown field; the fields are id, from_scratch"),
        ] {
            assert_eq!(read(&body), Err(expected.to_owned()));
        }
    }

    #[test]
    fn the_document_describes_the_fields_that_are_read() {
        crate::openapi::assert_properties(&NewAuditBody::schema(), &FIELDS);
    }
}
