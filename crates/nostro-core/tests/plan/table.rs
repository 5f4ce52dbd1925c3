//! Accounts, transfers and outcomes as text: a line each.

use expect_test::Expect;
use nostro_core::account::{AccountKind, AccountState};
use nostro_core::plan::{LockedAccount, Outcome, PlanInput, plan};
use nostro_core::transfer::Decision;
use nostro_core::{
    AccountNumber, Amount, Balance, Chain, Currency, Hold, HoldState, Operation, Original, Timestamp, Transfer,
    TransferId, TransferRecord,
};
use std::collections::BTreeSet;

pub(crate) const NOW: i64 = 1_000;

/// `A1`: branch AZ, serial 1; `T2`: branch TX, serial 2.
pub(crate) fn number(name: &str) -> AccountNumber {
    let (branch, serial) = name.split_at(1);
    let code = if branch == "A" { "AZ" } else { "TX" };
    AccountNumber::new(code.parse().unwrap(), serial.parse().unwrap()).unwrap()
}

pub(crate) fn name(number: AccountNumber) -> String {
    format!("{}{}", &number.branch().as_str()[..1], number.to_string()[4..].parse::<u64>().unwrap())
}

/// `A1 500 limit=100 ceiling=900 exceeded held=50 EUR debits_frozen cash seq=7 last=2000`
pub(crate) fn account(line: &str) -> (AccountNumber, LockedAccount) {
    let mut words = line.split_whitespace();
    let number = number(words.next().unwrap());
    let mut account = LockedAccount {
        kind: AccountKind::Checking,
        currency: "USD".parse().unwrap(),
        balance: Balance::new(words.next().unwrap().parse().unwrap()),
        held: Balance::ZERO,
        overdraft_limit: Balance::ZERO,
        ceiling: None,
        limit_exceeded: false,
        state: AccountState::Open,
        seq: 0,
        last_transfer: None,
        last_posted_at: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("limit", figure)) => account.overdraft_limit = Balance::new(figure.parse().unwrap()),
            Some(("held", figure)) => account.held = Balance::new(figure.parse().unwrap()),
            Some(("seq", figure)) => account.seq = figure.parse().unwrap(),
            Some(("last", figure)) => account.last_posted_at = Some(Timestamp::from_micros(figure.parse().unwrap())),
            Some(("ceiling", figure)) => account.ceiling = Some(Balance::new(figure.parse().unwrap())),
            None if word == "exceeded" => account.limit_exceeded = true,
            None if word.parse::<AccountState>().is_ok() => account.state = word.parse().unwrap(),
            None if word == "cash" => account.kind = AccountKind::Cash,
            None => account.currency = word.parse().unwrap(),
            Some(_) => panic!("{word}"),
        }
    }
    (number, account)
}

pub(crate) fn id(number: &str) -> TransferId {
    TransferId(uuid::Uuid::from_u128(number.trim().parse().unwrap()))
}

/// Beyond accounts and amount: `deposit`, `up_to`, `hold`, `hold until=2000`, `capture=1`, `capture=1 final`, `release=1`, `expiry=1`, `reversal=1 force`.
fn operation(words: &[&str], amount: Amount) -> Operation {
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let has = |word: &str| words.contains(&word);
    if let Some(original) = value("reversal") {
        return Operation::Reversal { original: id(original), is_forced: has("force") };
    }
    match (value("capture"), value("release"), value("expiry")) {
        (Some(hold), ..) => Operation::Capture { hold: id(hold), is_final: has("final") },
        (_, Some(hold), _) => Operation::Release { hold: id(hold) },
        (.., Some(hold)) => Operation::Expiry { hold: id(hold) },
        _ if has("hold") => {
            Operation::Hold { expires_at: value("until").map(|at| Timestamp::from_micros(at.parse().unwrap())) }
        }
        _ if has("deposit") => Operation::Deposit,
        _ if has("up_to") => Operation::UpTo { asked: amount },
        _ => Operation::Transfer,
    }
}

/// A posted transfer that is reversed: `1: A1 > T1 100 deposit reversed=30`
pub(crate) fn original(line: &str) -> Original {
    let Transfer { id, debit, credit, amount, currency, operation, .. } = transfer(line);
    let reversed = line.split_whitespace().find_map(|word| word.strip_prefix("reversed="));
    let reversed = Balance::new(reversed.map_or(0, |figure| figure.parse().unwrap()));
    Original { id, kind: operation.kind(), debit, credit, amount, currency, reversed }
}

/// A hold that is there before: `1: A1 > T1 100 until=2000 captured=30 released=70 state=captured`
pub(crate) fn hold(line: &str) -> Hold {
    let Transfer { id, debit, credit, amount, currency, .. } = transfer(line);
    let value = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let balance = |name: &str| Balance::new(value(name).map_or(0, |figure| figure.parse().unwrap()));
    Hold {
        id,
        debit,
        credit,
        amount,
        currency,
        captured: balance("captured"),
        released: balance("released"),
        state: value("state").map_or(HoldState::Open, |state| state.parse().unwrap()),
        expires_at: value("until").map(|at| Timestamp::from_micros(at.parse().unwrap())),
        placed_at: Timestamp::from_micros(1),
        ended_at: None,
    }
}

/// `7: A1 > T1 100 EUR deposit rent`
pub(crate) fn transfer(line: &str) -> Transfer {
    let (name, rest) = line.split_once(": ").unwrap();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let has = |word: &str| words[4..].contains(&word);
    Transfer {
        id: id(name),
        operation: operation(&words[4..], Amount::parse(words[3]).unwrap()),
        debit: number(words[0]),
        credit: number(words[2]),
        amount: Amount::parse(words[3]).unwrap(),
        currency: words[4..].iter().find_map(|word| word.parse().ok()).unwrap_or("USD".parse::<Currency>().unwrap()),
        category: if has("salary") { 2 } else { 0 },
        reference: has("rent").then(|| nostro_core::Reference::new("rent").unwrap()),
        link: None,
    }
}

/// A line a transfer; one that begins with `&` is of the chain of the line before it.
pub(crate) fn transfers(text: &str) -> Vec<Transfer> {
    let mut chains: Vec<Vec<Transfer>> = Vec::new();
    for line in lines(text) {
        match line.strip_prefix("& ") {
            Some(link) => chains.last_mut().unwrap().push(transfer(link)),
            None => chains.push(vec![transfer(line)]),
        }
    }
    chains.into_iter().flat_map(|links| if links.len() == 1 { links } else { chain(links) }).collect()
}

pub(crate) fn chain(links: Vec<Transfer>) -> Vec<Transfer> {
    Chain::new(links).unwrap().links().to_vec()
}

pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

pub(crate) fn told(outcome: &Outcome) -> String {
    let record = |record: &TransferRecord| match record.decision {
        Decision::Posted { debit, credit } => {
            let side = |line: Option<nostro_core::transfer::Line>| {
                line.map_or("-".into(), |line| format!("{}#{}", line.balance_after, line.seq))
            };
            let plain = record.transfer.operation.moves_money() && record.transfer.operation.asked().is_none();
            let amount = if plain { String::new() } else { format!("({}) ", record.transfer.amount) };
            format!("posted {amount}{} {}", side(debit), side(credit))
        }
        Decision::Refused(refusal) => format!("refused {refusal}"),
    };
    match outcome {
        Outcome::Decided(decided) => record(decided),
        Outcome::Replayed(replayed) => format!("replayed, {}", record(replayed)),
        Outcome::Conflict(field) => format!("conflict {}", field.name()),
        Outcome::Unusable(why) => format!("unusable, {why:?}"),
        Outcome::Moot => "moot".to_owned(),
    }
}

/// A batch now, without anything recorded or held before.
pub(crate) fn input<'a>(accounts: &str, transfers: &'a [Transfer]) -> PlanInput<'a> {
    PlanInput {
        transfers: transfers.iter().collect(),
        accounts: lines(accounts).map(account).collect(),
        holds: vec![],
        originals: vec![],
        known: vec![],
        detached: BTreeSet::new(),
        clock: Timestamp::from_micros(NOW),
        posted_at: Timestamp::from_micros(NOW),
    }
}

pub(crate) fn planned(accounts: &str, known: Vec<TransferRecord>, transfers: &str) -> String {
    planned_with("", accounts, known, transfers)
}

/// What is planned where these holds were there before, and these transfers, which are marked `was`.
pub(crate) fn planned_with(holds: &str, accounts: &str, known: Vec<TransferRecord>, transfers: &str) -> String {
    let transfers = self::transfers(transfers);
    let (were, holds): (Vec<&str>, Vec<&str>) = lines(holds).partition(|line| line.ends_with(" was"));
    let plan = plan(PlanInput {
        known,
        holds: holds.into_iter().map(hold).collect(),
        originals: were.into_iter().map(original).collect(),
        ..input(accounts, &transfers)
    });
    let mut text = String::new();
    for (transfer, outcome) in transfers.iter().zip(&plan.outcomes) {
        text += &format!("{}: {}\n", transfer.id.0.as_u128(), told(outcome));
    }
    for (number, account) in &plan.accounts {
        let held = if account.held == Balance::ZERO { String::new() } else { format!(" held={}", account.held) };
        let exceeded = if account.limit_exceeded { " exceeded" } else { "" };
        text += &format!("{} {}{held}{exceeded} #{}\n", name(*number), account.balance, account.seq);
    }
    for original in &plan.originals {
        text += &format!("original {}: reversed={}\n", original.id.0.as_u128(), original.reversed);
    }
    for hold in &plan.holds {
        let Hold { captured, released, state, .. } = hold;
        text += &format!("hold {}: {state} captured={captured} released={released}\n", hold.id.0.as_u128());
    }
    text
}

pub(crate) fn check(accounts: &str, transfers: &str, expected: &Expect) {
    expected.assert_eq(&planned(accounts, Vec::new(), transfers));
}

pub(crate) fn record(line: &str, debit: Option<(i64, i64)>, credit: Option<(i64, i64)>) -> TransferRecord {
    let line_of = |side: Option<(i64, i64)>| {
        side.map(|(balance, seq)| nostro_core::transfer::Line {
            balance_after: Balance::new(balance),
            seq,
            previous: (seq > 1).then_some(TransferId(uuid::Uuid::nil())),
        })
    };
    TransferRecord {
        transfer: transfer(line),
        decision: Decision::Posted { debit: line_of(debit), credit: line_of(credit) },
        posted_at: Timestamp::from_micros(1),
    }
}
