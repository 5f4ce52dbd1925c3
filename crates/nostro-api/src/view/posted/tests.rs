//! The literal shape against the described one.

use super::*;
use crate::answer;
use crate::fields::Pointer;
use crate::wire::{self, Named};
use nostro_core::{
    Amount, Balance, BranchCode, Currency, Operation, Reference, Refusal, Timestamp, TransferId, TransferRecord,
};
use nostro_engine::{Answer, CommitPath, Unavailable};
use proptest::prelude::*;
use std::sync::Arc;

fn account() -> impl Strategy<Value = AccountNumber> {
    let serial = prop_oneof![Just(840), Just(392), 1..900_000_000_000_u64];
    ("[A-Z]{2,4}", serial).prop_map(|(code, serial)| AccountNumber::new(code.parse().unwrap(), serial).unwrap())
}

fn transfer() -> impl Strategy<Value = Transfer> {
    let hold = TransferId(uuid::Uuid::from_u128(7));
    let operation = proptest::sample::select(vec![
        Operation::Transfer,
        Operation::Deposit,
        Operation::Withdrawal,
        Operation::UpTo { asked: Amount::new(7).unwrap() },
        Operation::Hold { expires_at: None },
        Operation::Hold { expires_at: Some(Timestamp::from_micros(0)) },
        Operation::Capture { hold, is_final: true },
        Operation::Release { hold },
        Operation::Expiry { hold },
        Operation::Reversal { original: hold, is_forced: true },
    ]);
    let reference = proptest::option::of(prop_oneof!["[a-z\"\\\\/<é🌞\u{2028}]{1,20}", "[ -~]{1,20}"]);
    let currency = prop_oneof![Just("USD"), Just("JPY")].prop_map(|code| code.parse::<Currency>().unwrap());
    let sides = (account(), account());
    (any::<u128>(), operation, sides, 1..=999_999_999_999_999_999_i64, currency, any::<u16>(), reference).prop_map(
        |(id, operation, (debit, credit), amount, currency, category, reference)| Transfer {
            id: TransferId(uuid::Uuid::from_u128(id)),
            operation,
            debit,
            credit,
            amount: Amount::new(amount).unwrap(),
            currency,
            category,
            reference: reference.and_then(|text| Reference::new(&text).ok()),
            link: None,
        },
    )
}

fn decision() -> impl Strategy<Value = Decision> {
    let balance = prop_oneof![any::<i64>(), Just(i64::MIN), Just(0)];
    let line = proptest::option::of(balance.prop_map(|balance| Line {
        balance_after: Balance::new(balance),
        seq: 1,
        previous: None,
    }));
    prop_oneof![
        9 => (line.clone(), line).prop_map(|(debit, credit)| Decision::Posted { debit, credit }),
        1 => Just(Decision::Refused(Refusal::InsufficientFunds)),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let batch = prop_oneof![Just("AZ-1-4711"), Just("TX-2-7")].prop_map(|id| id.parse().unwrap());
    let posted_at = prop_oneof![Just(0), Just(1_795_420_800_123_456_i64)].prop_map(Timestamp::from_micros);
    let parts = prop_oneof![Just(vec!["AZ"]), Just(vec!["AZ", "TX"]), Just(vec!["NYC", "OHIO", "TX"])];
    (transfer(), decision(), batch, posted_at, parts).prop_map(|(transfer, decision, batch, posted_at, parts)| {
        let parts: Vec<BranchCode> = parts.iter().map(|code| code.parse().unwrap()).collect();
        let record = Arc::new(TransferRecord { transfer, decision, posted_at });
        Receipt { record, batch, commit: Arc::new(CommitPath { home: parts[0], parts }) }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => receipt().prop_map(Answer::Posted),
        2 => receipt().prop_map(Answer::Replayed),
        2 => receipt().prop_map(Answer::Settling),
        1 => receipt().prop_map(Answer::Refused),
        1 => Just(Answer::Unknown),
        1 => Just(Answer::Unavailable(Unavailable::Busy)),
    ]
}

/// The answer with the id that was asked for, which is all that a result takes from the request.
fn of(transfer: &Transfer, mut answer: Answer) -> Answer {
    match &mut answer {
        Answer::Posted(receipt) | Answer::Replayed(receipt) | Answer::Settling(receipt) | Answer::Refused(receipt) => {
            Arc::make_mut(&mut receipt.record).transfer.id = transfer.id;
        }
        Answer::Unknown
        | Answer::Conflict(_)
        | Answer::Unusable(_)
        | Answer::Moot
        | Answer::Unavailable(_)
        | Answer::Bug => {}
    }
    answer
}

proptest! {
    #[test]
    fn a_bulks_answer_is_the_described_results_byte_for_byte(
        items in proptest::collection::vec((transfer(), answer()), 0..6)
    ) {
        let (transfers, answers): (Vec<Transfer>, Vec<Answer>) =
            items.into_iter().map(|(transfer, answer)| (transfer.clone(), of(&transfer, answer))).unzip();
        let context = crate::RequestContext { path: "/v1/transfers/bulk".into(), request_id: "r-1".into() };
        let described = transfers.iter().zip(answers.clone()).enumerate().map(|(at, (transfer, answer))| {
            let place = Pointer::Item { list: "transfers", at };
            let result = answer::item(place, transfer.into(), answer, |problem| problem.body("/v1/transfers/bulk", "r-1"));
            serde_json::to_string(&result).unwrap()
        });
        let described: Vec<String> = described.collect();
        let named: Vec<Named> = transfers.iter().map(Named::from).collect();
        let written = String::from_utf8(wire::write_answers(&named, answers, &context)).unwrap();
        prop_assert_eq!(written, format!("{{\"results\":[{}]}}", described.join(",")));
    }
}
