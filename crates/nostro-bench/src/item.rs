//! Transfers as JSON, written into a buffer that is used again.

use crate::rows::CURRENCY;
use crate::workload::{Accounts, Op};
use bytes::BytesMut;
use std::fmt::Write;
use uuid::fmt::Hyphenated;

/// Room for an item, so that a buffer grows once.
pub(crate) const ITEM_BYTES: usize = 180;

/// Appends one transfer as the API reads it.
pub(crate) fn write_item(buffer: &mut BytesMut, op: &Op, accounts: &Accounts, category: u16) {
    buffer.extend_from_slice(b"{\"id\":\"");
    let mut id = [0; Hyphenated::LENGTH];
    buffer.extend_from_slice(op.id.hyphenated().encode_lower(&mut id).as_bytes());
    buffer.extend_from_slice(b"\",\"debit_account\":\"");
    buffer.extend_from_slice(accounts.text[op.debit as usize].as_bytes());
    buffer.extend_from_slice(b"\",\"credit_account\":\"");
    buffer.extend_from_slice(accounts.text[op.credit as usize].as_bytes());
    write!(buffer, "\",\"amount\":\"{}\",\"currency\":\"{CURRENCY}\",\"category\":{category}}}", op.amount)
        .expect("a buffer in memory takes everything");
}
