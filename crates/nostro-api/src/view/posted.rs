//! The fast way out: posted and settling results of a bulk, written as bytes.
//!
//! Nearly every result of a bulk is one of these. Field by field, each costs 1.1 microseconds, mostly for names and
//! marks that never change; here they are literals, and what a batch has in common (its id, its time, how it
//! committed) is written once and copied, which makes it 0.2. The shape is that of [`BulkResult`], to which a
//! property test holds it byte for byte; every other outcome is written from there.
//!
//! [`BulkResult`]: super::transfer::BulkResult

use crate::view::transfer::{CommitView, State};
use crate::view::{Figure, normal_side};
use nostro_core::account_number::TEXT_BYTES_MAX;
use nostro_core::transfer::{Decision, Line};
use nostro_core::{AccountNumber, Operation, Transfer};
use nostro_engine::Receipt;
use std::io::Write;

/// What became of one transfer, beside its receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Posted or settling.
    pub(crate) state: State,
    /// Whether it was decided by an earlier request.
    pub(crate) replayed: bool,
}

/// The texts that the transfers of one batch have in common.
#[derive(Default)]
pub(crate) struct Writer {
    /// One of them, by which the next are told to be of the same batch.
    of: Option<Receipt>,
    /// From `batch` to the entries.
    before_entries: Vec<u8>,
    /// From the entries to the end.
    after_entries: Vec<u8>,
}

impl Writer {
    /// Appends the result of a transfer that was posted; `false`, and nothing is written, if it was not.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, receipt: &Receipt, outcome: Outcome) -> bool {
        let Decision::Posted { debit, credit } = receipt.record.decision else { return false };
        let transfer = &receipt.record.transfer;
        // Others have more to show.
        if transfer.link.is_some() {
            return false;
        }
        match transfer.operation {
            Operation::Transfer | Operation::Deposit | Operation::Withdrawal => {}
            Operation::UpTo { .. }
            | Operation::Hold { .. }
            | Operation::Capture { .. }
            | Operation::Release { .. }
            | Operation::Expiry { .. }
            | Operation::Reversal { .. } => return false,
        }
        self.share(receipt);
        let state = match outcome.state {
            State::Posted => "posted",
            State::Settling => "settling",
            State::Refused | State::Unknown | State::Unavailable | State::Conflict => return false,
        };
        let mut buffers = ([0; 36], [0; TEXT_BYTES_MAX], [0; TEXT_BYTES_MAX]);
        let id: &str = transfer.id.0.as_hyphenated().encode_lower(&mut buffers.0);
        let debit_account = transfer.debit.encode(&mut buffers.1);
        let credit_account = transfer.credit.encode(&mut buffers.2);
        let replayed =
            if outcome.replayed { r#"","replayed":true,"transfer":{"id":""# } else { r#"","transfer":{"id":""# };
        put(out, &[r#"{"id":""#, id, r#"","state":""#, state, replayed, id, r#"","kind":""#, transfer.kind().as_str()]);
        put(out, &[r#"","state":""#, state, r#"","debit_account":""#, debit_account, r#"","credit_account":""#]);
        put(out, &[credit_account, r#"","amount":""#]);
        display(out, &transfer.amount);
        put(out, &[r#"","currency":""#, transfer.currency.code(), r#"","category":"#]);
        display(out, &transfer.category);
        put(out, &[r#","reference":"#]);
        json(out, &transfer.reference.as_ref().map(|reference| reference.as_str()));
        out.extend_from_slice(&self.before_entries);
        let sides = [(transfer.debit, debit_account, debit), (transfer.credit, credit_account, credit)];
        let known = sides.into_iter().filter_map(|(number, text, line)| Some((number, text, line?)));
        for (at, (number, text, line)) in known.enumerate() {
            put(out, &[if at == 0 { r#"{"account":""# } else { r#",{"account":""# }, text]);
            entry(out, transfer, number, line);
        }
        out.extend_from_slice(&self.after_entries);
        true
    }

    /// Writes what the batch of this receipt has in common, unless it is that of the last one.
    fn share(&mut self, receipt: &Receipt) {
        let same = |of: &Receipt| {
            of.batch == receipt.batch && of.record.posted_at == receipt.record.posted_at && of.commit == receipt.commit
        };
        if self.of.as_ref().is_some_and(same) {
            return;
        }
        self.before_entries.clear();
        put(&mut self.before_entries, &[r#","batch":""#]);
        display(&mut self.before_entries, &receipt.batch);
        put(&mut self.before_entries, &[r#"","posted_at":""#]);
        display(&mut self.before_entries, &receipt.record.posted_at);
        put(&mut self.before_entries, &[r#"","entries":["#]);
        self.after_entries.clear();
        put(&mut self.after_entries, &[r#"],"commit":"#]);
        json(&mut self.after_entries, &CommitView::new(&receipt.commit));
        put(&mut self.after_entries, &["}}"]);
        self.of = Some(receipt.clone());
    }
}

fn entry(out: &mut Vec<u8>, transfer: &Transfer, number: AccountNumber, line: Line) {
    put(out, &[r#"","balance_after":""#]);
    display(out, &Figure::new(normal_side(number, transfer.currency), line.balance_after));
    put(out, &[r#""}"#]);
}

fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn display(out: &mut Vec<u8>, value: &dyn std::fmt::Display) {
    write!(out, "{value}").expect("a Vec takes every byte");
}

fn json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(out, value).expect("a Vec takes every byte, and every name is text");
}

#[cfg(test)]
mod tests;
