//! What the planner costs: a full batch of 8,192 transfers over 100,000 accounts has to be decided within 2 ms.
//!
//! `cargo bench -p nostro-core --bench plan`. Three batches: all posted, one in ten refused, and one account on
//! one side of them all. The accounts of a batch are locked rows, at most two a transfer, so each batch carries
//! only those that it touches. Making the input and dropping the plan are left out of the measure. The allocator
//! is the server's.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nostro_core::account::{AccountKind, AccountState};
use nostro_core::plan::{Accounts, LockedAccount, PlanInput, plan};
use nostro_core::{AccountNumber, Amount, Balance, Operation, Timestamp, Transfer, TransferId};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many as one batch of the engine takes.
const TRANSFERS: u64 = 8_192;
const ACCOUNTS: u64 = 100_000;

/// The same figures on every run, spread as if drawn (splitmix64).
fn drawn(seed: u64) -> u64 {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// One of the accounts; the even ones are kept in Arizona, the odd ones in Texas.
fn number(at: u64) -> AccountNumber {
    let code = if at.is_multiple_of(2) { "AZ" } else { "TX" };
    AccountNumber::new(code.parse().unwrap(), 1 + at % ACCOUNTS).unwrap()
}

fn transfer(at: u64, debit: AccountNumber, credit: AccountNumber, minor_units: i64) -> Transfer {
    Transfer {
        id: TransferId(uuid::Uuid::from_u64_pair(drawn(at), at)),
        operation: Operation::Transfer,
        debit,
        credit,
        amount: Amount::new(minor_units).unwrap(),
        currency: "USD".parse().unwrap(),
        category: 0,
        reference: None,
        link: None,
    }
}

fn two_accounts(at: u64) -> (AccountNumber, AccountNumber) {
    let debit = drawn(at);
    (number(debit % ACCOUNTS), number((debit + 1 + drawn(at + TRANSFERS) % (ACCOUNTS - 1)) % ACCOUNTS))
}

/// Between accounts at random, each for little enough that it is posted.
fn all_posted(at: u64) -> Transfer {
    let (debit, credit) = two_accounts(at);
    transfer(at, debit, credit, 100)
}

/// The same, but every tenth asks for more than there is.
fn tenth_refused(at: u64) -> Transfer {
    let (debit, credit) = two_accounts(at);
    transfer(at, debit, credit, if at.is_multiple_of(10) { 999_999_999_999 } else { 100 })
}

/// All into one account.
fn one_hot_account(at: u64) -> Transfer {
    transfer(at, number(1 + drawn(at) % (ACCOUNTS - 1)), number(0), 100)
}

fn locked(transfers: &[Transfer]) -> Accounts {
    let account = LockedAccount {
        kind: AccountKind::Checking,
        currency: "USD".parse().unwrap(),
        balance: Balance::new(1_000_000),
        held: Balance::ZERO,
        overdraft_limit: Balance::ZERO,
        ceiling: None,
        limit_exceeded: false,
        state: AccountState::Open,
        seq: 7,
        last_transfer: None,
        last_posted_at: None,
    };
    transfers.iter().flat_map(|transfer| [transfer.debit, transfer.credit]).map(|number| (number, account)).collect()
}

/// The transfer at this place of a batch.
type Make = fn(u64) -> Transfer;

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan/8192");
    group.throughput(Throughput::Elements(TRANSFERS));
    let kinds: [(&str, Make); 3] =
        [("all posted", all_posted), ("one in ten refused", tenth_refused), ("one hot account", one_hot_account)];
    for (name, make) in kinds {
        let transfers: Vec<Transfer> = (0..TRANSFERS).map(make).collect();
        let accounts = locked(&transfers);
        let input = || PlanInput {
            transfers: transfers.iter().collect(),
            accounts: accounts.clone(),
            holds: Vec::new(),
            originals: Vec::new(),
            known: Vec::new(),
            detached: std::collections::BTreeSet::new(),
            clock: Timestamp::from_micros(1_795_420_800_000_000),
            posted_at: Timestamp::from_micros(1_795_420_800_000_000),
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(input, |input| black_box(plan(input)), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, batches);
criterion_main!(benches);
