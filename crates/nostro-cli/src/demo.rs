//! The demo customers of `nostro up`: the same numbers and balances in every fresh data directory.
//!
//! They are made through the engine, as any client would make them, so the books balance from the first row. The
//! request ids are fixed, so that a second run finds what the first one made and changes nothing.

use anyhow::{Context, bail};
use nostro_core::{
    AccountKind, AccountNumber, Amount, Balance, BranchCode, Currency, Name, Operation, Reference, Transfer, TransferId,
};
use nostro_engine::{Answer, Engine, NewAccount, NewCustomer};
use uuid::Uuid;

/// A customer with a checking account, and perhaps a savings account; figures in cents.
struct DemoCustomer {
    name: &'static str,
    checking: i64,
    savings: Option<i64>,
}

const fn customer(name: &'static str, checking: i64, savings: Option<i64>) -> DemoCustomer {
    DemoCustomer { name, checking, savings }
}

const ARIZONA: [DemoCustomer; 6] = [
    customer("Ada Lovelace", 500_075, None),
    customer("Grace Hopper", 1_250_000, Some(2_000_000)),
    customer("Katherine Johnson", 875_050, None),
    customer("Alan Turing", 612_345, None),
    customer("Edsger Dijkstra", 98_020, Some(50_000)),
    customer("Barbara Liskov", 5_000_000, None),
];

const TEXAS: [DemoCustomer; 6] = [
    customer("Mary Jackson", 725_000, None),
    customer("Dorothy Vaughan", 1_500_010, Some(300_000)),
    customer("Richard Hamming", 540_000, None),
    customer("Jim Gray", 2_718_281, None),
    customer("Frances Allen", 43_210, None),
    customer("John Backus", 1_000_000, None),
];

/// Makes the demo customers of both branches.
pub(crate) async fn seed(engine: &Engine, arizona: BranchCode, texas: BranchCode) -> anyhow::Result<()> {
    let dollars: Currency = "USD".parse().context("USD is a currency")?;
    for (branch, customers) in [(arizona, &ARIZONA), (texas, &TEXAS)] {
        let mut accounts = Vec::new();
        let mut made = Vec::new();
        for (at, customer) in (0_u32..).zip(customers) {
            let new = NewCustomer { id: id(branch, "customer", at), branch, name: Name::new(customer.name)? };
            let number = engine
                .create_customer(new)
                .await
                .map_err(|error| anyhow::anyhow!("the demo customer {} was not made: {error:?}", customer.name))?
                .value
                .number;
            made.push(number);
        }
        // All checking accounts first, so that the first customer of a branch has its first number.
        let checking = customers.iter().map(|customer| (AccountKind::Checking, Some(customer.checking)));
        let savings = customers.iter().map(|customer| (AccountKind::Savings, customer.savings));
        for (at, ((kind, money), customer)) in (0_u32..).zip(checking.chain(savings).zip(made.iter().cycle())) {
            let Some(money) = money else { continue };
            let new = NewAccount {
                id: id(branch, "account", at),
                customer: *customer,
                kind,
                currency: dollars,
                overdraft_limit: Balance::ZERO,
            };
            let opened = engine.open_account(new).await;
            let account = opened.map_err(|error| anyhow::anyhow!("a demo account was not opened: {error:?}"))?.value;
            accounts.push((at, account.number, Amount::new(money)?));
        }
        for (at, account, amount) in accounts {
            deposit(engine, branch, id(branch, "deposit", at), account, amount, dollars).await?;
        }
    }
    Ok(())
}

async fn deposit(
    engine: &Engine,
    branch: BranchCode,
    id: Uuid,
    account: AccountNumber,
    amount: Amount,
    currency: Currency,
) -> anyhow::Result<()> {
    let transfer = Transfer {
        id: TransferId(id),
        operation: Operation::Deposit,
        debit: AccountNumber::cash(branch, currency),
        credit: account,
        amount,
        currency,
        category: 0,
        reference: Some(Reference::new("opening balance")?),
        link: None,
    };
    match engine.transfer(transfer).await {
        Answer::Posted(_) | Answer::Replayed(_) | Answer::Settling(_) => Ok(()),
        other => bail!("the opening balance of {account} was not booked: {other:?}"),
    }
}

/// A fixed id of the form for custom ids (version 8, RFC 9562), spelling what it is for.
fn id(branch: BranchCode, what: &str, at: u32) -> Uuid {
    let mut bytes = [0_u8; 16];
    let text = format!("{:.4}{branch}", what);
    for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    for (slot, byte) in bytes.iter_mut().skip(12).zip(at.to_be_bytes()) {
        *slot = byte;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
