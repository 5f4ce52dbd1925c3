//! The body that takes in much cash at one time, read into [`Transfer`]s.
//!
//! Each item is what a single deposit takes. A bank that moves in books its opening balances so: in batches, and each
//! as the deposit that it is.

use crate::fields::{self, HasBranch};
use crate::json::JsonValue;
use crate::problem::Problem;
use crate::transfer_body::{self, BULK_TRANSFERS_MAX, CashMovement, NewCashMovement};
use nostro_core::Transfer;
use utoipa::ToSchema;

const BULK_FIELDS: [&str; 1] = ["deposits"];

/// Many deposits, each for itself.
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
#[derive(ToSchema)]
pub(crate) struct NewDeposits {
    /// 1 to 8,192 of them.
    #[schema(min_items = 1, max_items = 8192)]
    deposits: Vec<NewCashMovement>,
}

/// The deposits of a bulk, in its order; one malformed item refuses them all.
pub(crate) fn deposits(value: JsonValue<'_>, has_branch: HasBranch<'_>) -> Result<Vec<Transfer>, Problem> {
    fields::bulk(value, &BULK_FIELDS, BULK_TRANSFERS_MAX, |item, place, errors| {
        transfer_body::read_cash(item, place, CashMovement::Deposit, has_branch, errors)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::{AccountNumber, Operation};
    use utoipa::PartialSchema;

    fn read(body: &str) -> Result<Vec<Transfer>, serde_json::Value> {
        let value = JsonValue::parse(body.as_bytes()).unwrap();
        deposits(value, &|code| code.as_str() == "AZ")
            .map_err(|problem| serde_json::to_value(problem.body("", "")).unwrap())
    }

    fn item(amount: &str) -> String {
        format!(
            r#"{{"id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","account":"AZ93000000001042","amount":"{amount}","currency":"USD"}}"#
        )
    }

    #[test]
    fn each_item_is_a_deposit_from_its_branchs_cash() {
        let deposits = read(&format!(r#"{{"deposits":[{},{}]}}"#, item("5"), item("7"))).unwrap();
        let cash = AccountNumber::cash("AZ".parse().unwrap(), "USD".parse().unwrap());
        assert_eq!(deposits.iter().map(|deposit| deposit.amount.minor_units()).collect::<Vec<_>>(), [5, 7]);
        assert!(deposits.iter().all(|deposit| deposit.operation == Operation::Deposit && deposit.debit == cash));
    }

    #[test]
    fn an_item_that_is_malformed_is_named_by_its_place() {
        let body = read(&format!(r#"{{"deposits":[{},{}]}}"#, item("5"), item("0"))).unwrap_err();
        assert_eq!(
            (&body["code"], &body["errors"][0]["pointer"]),
            (&"invalid_request".into(), &"/deposits/1/amount".into())
        );
        for (body, expected) in [
            (r#"{"deposits":[]}"#, "a bulk has 1 to 8192 deposits, this one has 0"),
            (r#"{"deposits":7}"#, "expected a list of deposits, found a number"),
            ("{}", "this field is missing"),
        ] {
            assert_eq!(read(body).unwrap_err()["errors"][0]["detail"], expected);
        }
    }

    #[test]
    fn the_document_describes_the_fields_that_are_read() {
        crate::openapi::assert_properties(&NewDeposits::schema(), &BULK_FIELDS);
    }
}
