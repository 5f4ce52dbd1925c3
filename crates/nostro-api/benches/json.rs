//! What JSON costs on the routes of money. The budget is 1 microsecond for a transfer in and 1 for its answer out.
//!
//! `cargo bench -p nostro-api --bench json`. A bulk of 8,192 is read and its results are written: all posted in
//! one batch over two branches, and one in ten refused. Then a single body, a single answer, and the values that
//! stand in each. The allocator is the server's.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nostro_api::RequestContext;
use nostro_api::wire::{self, Named};
use nostro_core::transfer::{Decision, Line};
use nostro_core::{
    AccountNumber, Amount, Balance, BranchCode, Operation, Reference, Refusal, Timestamp, Transfer, TransferId,
    TransferRecord,
};
use nostro_engine::{Answer, CommitPath, Receipt};
use std::hint::black_box;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many as a bulk may have.
const TRANSFERS: usize = 8_192;

fn transfer(at: usize) -> Transfer {
    let number = |code: &str, serial: usize| {
        AccountNumber::new(code.parse().unwrap(), 1 + u64::try_from(serial).unwrap() % 100_000).unwrap()
    };
    let bits = u128::try_from(at).unwrap() * 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    Transfer {
        id: TransferId(uuid::Builder::from_u128(bits + 1).with_version(uuid::Version::SortRand).into_uuid()),
        operation: Operation::Transfer,
        debit: number("AZ", at * 7),
        credit: number("TX", at * 13),
        amount: Amount::new(100 + i64::try_from(at).unwrap()).unwrap(),
        currency: "USD".parse().unwrap(),
        category: 1,
        reference: at.is_multiple_of(2).then(|| Reference::new("rent of November").unwrap()),
        link: None,
    }
}

fn item(transfer: &Transfer) -> String {
    let Transfer { id, debit, credit, amount, currency, category, reference, .. } = transfer;
    let reference = reference.as_ref().map_or(String::new(), |text| format!(r#","reference":"{}""#, text.as_str()));
    format!(
        r#"{{"id":"{id}","debit_account":"{debit}","credit_account":"{credit}","amount":"{amount}","currency":"{currency}","category":{category}{reference}}}"#
    )
}

fn answer(transfer: &Transfer, refused: bool) -> Answer {
    let line = |balance| Some(Line { balance_after: Balance::new(balance), seq: 18, previous: None });
    let parts = ["AZ", "TX"].map(|code| code.parse().unwrap());
    let decision = if refused {
        Decision::Refused(Refusal::InsufficientFunds)
    } else {
        Decision::Posted { debit: line(400_075), credit: line(1_100_000) }
    };
    let posted_at = Timestamp::from_micros(1_795_420_800_123_456);
    let receipt = Receipt {
        record: Arc::new(TransferRecord { transfer: transfer.clone(), decision, posted_at }),
        batch: "AZ-1-4711".parse().unwrap(),
        commit: Arc::new(CommitPath { home: parts[0], parts: parts.to_vec() }),
    };
    if refused { Answer::Refused(receipt) } else { Answer::Posted(receipt) }
}

fn has_branch(code: BranchCode) -> bool {
    code.as_str() == "AZ" || code.as_str() == "TX"
}

fn bulk(criterion: &mut Criterion) {
    let transfers: Vec<Transfer> = (0..TRANSFERS).map(transfer).collect();
    let items: Vec<String> = transfers.iter().map(item).collect();
    let body = format!(r#"{{"transfers":[{}]}}"#, items.join(","));
    assert_eq!(wire::read_plain_transfers(body.as_bytes(), &has_branch).unwrap(), transfers);
    let context = RequestContext { path: "/v1/transfers/bulk".into(), request_id: "r-1".into() };

    let mut group = criterion.benchmark_group("bulk of 8192");
    group.throughput(Throughput::Elements(8_192));
    group.bench_function("in", |bencher| {
        bencher.iter_with_large_drop(|| wire::read_plain_transfers(black_box(body.as_bytes()), &has_branch).unwrap());
    });
    let named: Vec<Named> = transfers.iter().map(Named::from).collect();
    for (name, every) in [("out, all posted", usize::MAX), ("out, one in ten refused", 10)] {
        let answers = || -> Vec<Answer> {
            transfers
                .iter()
                .enumerate()
                .map(|(at, transfer)| answer(transfer, (at + 1).is_multiple_of(every)))
                .collect()
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                answers,
                |answers| wire::write_answers(&named, answers, &context),
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("clone", |bencher| bencher.iter_with_large_drop(|| black_box(&transfers).clone()));
    group.finish();
}

fn single(criterion: &mut Criterion) {
    let transfer = transfer(2);
    let body = item(&transfer);
    criterion.bench_function("single in", |bencher| {
        bencher.iter(|| wire::read_transfer(black_box(body.as_bytes()), &has_branch).unwrap());
    });
    criterion.bench_function("single out", |bencher| {
        bencher.iter_batched(
            || answer(&transfer, false),
            |answer| wire::write_answer(&transfer, answer),
            BatchSize::SmallInput,
        );
    });
}

/// Small values, each of which stands in every transfer.
fn values(criterion: &mut Criterion) {
    let Transfer { id, debit, amount, currency, .. } = transfer(2);
    let time = Timestamp::from_micros(1_795_420_800_123_456);
    let texts = (debit.to_string(), id.to_string(), amount.to_string());
    let mut group = criterion.benchmark_group("value");
    group.bench_function("account number in", |bencher| {
        bencher.iter(|| black_box(texts.0.as_str()).parse::<AccountNumber>().unwrap());
    });
    group.bench_function("uuid in", |bencher| {
        bencher.iter(|| uuid::Uuid::try_parse(black_box(texts.1.as_str())).unwrap());
    });
    group.bench_function("amount in", |bencher| bencher.iter(|| Amount::parse(black_box(&texts.2)).unwrap()));
    group.bench_function("currency in", |bencher| {
        bencher.iter(|| black_box("USD").parse::<nostro_core::Currency>().unwrap());
    });
    let mut text = String::with_capacity(64);
    let mut out = |name: &str, value: &dyn std::fmt::Display| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                text.clear();
                std::fmt::Write::write_fmt(&mut text, format_args!("{}", black_box(value)))
            });
        });
    };
    out("account number out", &debit);
    out("uuid out", &id);
    out("amount out", &amount);
    out("currency out", &currency);
    out("time out", &time);
    group.finish();
}

criterion_group!(benches, bulk, single, values);
criterion_main!(benches);
