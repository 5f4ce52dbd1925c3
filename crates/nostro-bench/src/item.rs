//! Items of a bulk as JSON, written into a buffer that is used again.

use crate::open_holds::OpenHold;
use crate::rows::CURRENCY;
use crate::workload::{Accounts, Op};
use bytes::BytesMut;
use std::fmt::Write;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// Room for an item, so that a buffer grows once.
pub(crate) const ITEM_BYTES: usize = 180;

/// Appends one transfer as the API reads it.
pub(crate) fn write_item(buffer: &mut BytesMut, op: &Op, accounts: &Accounts, category: u16) {
    write_op(buffer, "{", op, accounts, category);
}

/// Appends one transfer that is of one chain with the next item.
pub(crate) fn write_linked(buffer: &mut BytesMut, op: &Op, accounts: &Accounts, category: u16) {
    write_op(buffer, "{\"linked\":true,", op, accounts, category);
}

/// Appends one hold that never expires.
pub(crate) fn write_hold(buffer: &mut BytesMut, op: &Op, accounts: &Accounts, category: u16) {
    write_op(buffer, "{\"kind\":\"hold\",", op, accounts, category);
}

/// Appends the capture of a whole hold, its last one.
pub(crate) fn write_capture(buffer: &mut BytesMut, id: Uuid, hold: OpenHold, category: u16) {
    buffer.extend_from_slice(b"{\"kind\":\"capture\",\"id\":\"");
    write_id(buffer, id);
    buffer.extend_from_slice(b"\",\"hold\":\"");
    write_id(buffer, hold.id);
    write!(buffer, "\",\"amount\":\"{}\",\"final\":true,\"category\":{category}}}", hold.amount)
        .expect("a buffer in memory takes everything");
}

fn write_op(buffer: &mut BytesMut, begin: &str, op: &Op, accounts: &Accounts, category: u16) {
    buffer.extend_from_slice(begin.as_bytes());
    buffer.extend_from_slice(b"\"id\":\"");
    write_id(buffer, op.id);
    buffer.extend_from_slice(b"\",\"debit_account\":\"");
    buffer.extend_from_slice(accounts.text[op.debit as usize].as_bytes());
    buffer.extend_from_slice(b"\",\"credit_account\":\"");
    buffer.extend_from_slice(accounts.text[op.credit as usize].as_bytes());
    write!(buffer, "\",\"amount\":\"{}\",\"currency\":\"{CURRENCY}\",\"category\":{category}}}", op.amount)
        .expect("a buffer in memory takes everything");
}

fn write_id(buffer: &mut BytesMut, id: Uuid) {
    let mut text = [0; Hyphenated::LENGTH];
    buffer.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::AccountNumber;
    use serde_json::{Value, json};

    #[test]
    fn each_kind_of_item_is_json_with_the_fields_of_its_kind() {
        let mut accounts = Accounts::default();
        let number = |serial| AccountNumber::new("AZ".parse().unwrap(), serial).unwrap();
        accounts.push_branch([(number(1042), 1042), (number(1043), 1043)].into_iter());
        let (id, held) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let op = Op { id, debit: 0, credit: 1, amount: 5 };
        let plain = json!({
            "id": "00000000-0000-0000-0000-000000000007",
            "debit_account": number(1042).to_string(),
            "credit_account": number(1043).to_string(),
            "amount": "5",
            "currency": "USD",
            "category": 3,
        });
        let with = |name: &str, value: Value| {
            let mut item = plain.clone();
            item[name] = value;
            item
        };
        let capture = json!({
            "kind": "capture",
            "id": "00000000-0000-0000-0000-000000000007",
            "hold": "00000000-0000-0000-0000-000000000008",
            "amount": "5",
            "final": true,
            "category": 3,
        });
        let written = |write: &dyn Fn(&mut BytesMut)| {
            let mut buffer = BytesMut::new();
            write(&mut buffer);
            serde_json::from_slice::<Value>(&buffer).unwrap()
        };
        assert_eq!(written(&|buffer| write_item(buffer, &op, &accounts, 3)), plain);
        assert_eq!(written(&|buffer| write_linked(buffer, &op, &accounts, 3)), with("linked", true.into()));
        assert_eq!(written(&|buffer| write_hold(buffer, &op, &accounts, 3)), with("kind", "hold".into()));
        let hold = OpenHold { id: held, amount: 5 };
        assert_eq!(written(&|buffer| write_capture(buffer, id, hold, 3)), capture);
    }
}
