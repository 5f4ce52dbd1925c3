//! Who plays: the accounts of both branches, and what is drawn to happen between them.

use super::PATIENCE;
use super::calls::send;
use super::known::{Known, Posted};
use crate::history::{Answer, Content, Kind, Recorder, Unit};
use crate::stage::Stage;
use fastrand::Rng;
use nostro_client::{Client, NewAccount, NewCustomer};
use nostro_core::{AccountNumber, CustomerNumber, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Accounts of each branch by what they are like.
const HOT: usize = 3;
const POOR: usize = 2;
const WITH_LIMIT: usize = 3;
/// Of these the limits and the state are changed.
const CHANGING: usize = 3;
const COMMON: usize = 22;
const MONEY: i64 = 1_000_000;
const LIMIT: i64 = 50_000;
/// Serial of an account that nobody has.
const NOBODY: i64 = 899_999_999_999;
const KEY_BASE: i64 = 1_000_000_000_000;
/// A hold that expires does so within this time, in milliseconds.
const EXPIRES_MS: std::ops::Range<u64> = 1_000..3_000;

/// Who plays.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// By branch: hot, poor, with a limit, changing, common, in this order.
    accounts: [Vec<i64>; 2],
    /// By branch: nobody else touches it, so that it always has money.
    aside: [i64; 2],
    numbers: BTreeMap<i64, AccountNumber>,
    cash: [i64; 2],
}

pub(super) fn key(number: AccountNumber) -> i64 {
    let text = number.to_string();
    let branch = if text.starts_with("AZ") { 1 } else { 2 };
    let serial: i64 = text[text.len() - 12..].parse().expect("twelve digits");
    branch * KEY_BASE + serial
}

pub(super) fn number(key: i64) -> AccountNumber {
    let code = if key / KEY_BASE == 1 { "AZ" } else { "TX" };
    let serial = u64::try_from(key % KEY_BASE).expect("positive");
    AccountNumber::new(crate::money::code(code), serial).expect("a serial of an account")
}

impl Cast {
    /// Opens all accounts and pays in.
    pub async fn open(stage: &Stage, recorder: &Recorder) -> Self {
        let client = stage.client(0);
        let mut cast = Self::default();
        for (at, branch) in ["AZ", "TX"].into_iter().enumerate() {
            let name = format!("Customer of {branch}");
            let customer = NewCustomer { id: Uuid::now_v7(), branch: crate::money::code(branch), name };
            let customer = client.create_customer(&customer).await.unwrap().number;
            cast.cash[at] = (i64::try_from(at).expect("two branches") + 1) * KEY_BASE + 840;
            for place in 0..HOT + POOR + WITH_LIMIT + CHANGING + COMMON {
                let is_limited = (HOT + POOR..HOT + POOR + WITH_LIMIT + CHANGING).contains(&place);
                let is_rich = !(HOT..HOT + POOR + WITH_LIMIT + CHANGING).contains(&place);
                let limit = if is_limited { LIMIT } else { 0 };
                let account = cast.open_one(&client, customer, limit).await;
                cast.accounts[at].push(account);
                if is_rich {
                    cast.pay_in(&client, recorder, at, account).await;
                }
            }
            cast.aside[at] = cast.open_one(&client, customer, 0).await;
            cast.pay_in(&client, recorder, at, cast.aside[at]).await;
        }
        cast
    }

    async fn open_one(&mut self, client: &Client, customer: CustomerNumber, limit: i64) -> i64 {
        let new = NewAccount {
            id: Uuid::now_v7(),
            customer,
            kind: "checking".into(),
            currency: crate::money::dollars(),
            overdraft_limit: limit,
        };
        let number = client.open_account(&new).await.unwrap().number;
        self.numbers.insert(key(number), number);
        key(number)
    }

    async fn pay_in(&self, client: &Client, recorder: &Recorder, branch: usize, account: i64) {
        let content = plain(Kind::Deposit, self.cash[branch], account, MONEY);
        let unit = Unit::Request(recorder.open(Uuid::now_v7(), content), 0);
        let answers = send(client, recorder, unit, 0, PATIENCE).await;
        assert!(matches!(answers[..], [Answer::Posted { .. }]), "{answers:?}");
    }

    /// All accounts, those of the bank included.
    pub fn all(&self) -> Vec<(i64, AccountNumber)> {
        let own = self.cash.iter().map(|account| (*account, number(*account)));
        self.numbers.iter().map(|(account, number)| (*account, *number)).chain(own).collect()
    }

    /// A transfer from one branch to the other, between accounts that nobody else touches.
    pub fn across(&self, from: usize) -> Content {
        let content = plain(Kind::Transfer, self.aside[from], self.aside[1 - from], 1);
        Content { reference: Some("after the faults"), ..content }
    }

    /// An account of which the limits and the state may be changed.
    pub(super) fn changing(&self, random: &mut Rng) -> (i64, AccountNumber) {
        let account = self.accounts[random.usize(..2)][HOT + POOR + WITH_LIMIT + random.usize(..CHANGING)];
        (account, self.numbers[&account])
    }

    pub(super) fn draw(&self, random: &mut Rng, branch: usize) -> i64 {
        let accounts = &self.accounts[branch];
        if random.u32(..100) < 35 { accounts[random.usize(..HOT)] } else { accounts[random.usize(..accounts.len())] }
    }

    /// Another account than this one.
    pub(super) fn draw_beside(&self, random: &mut Rng, branch: usize, account: i64) -> i64 {
        let mut other = self.draw(random, branch);
        while other == account {
            other = self.accounts[branch][random.usize(..self.accounts[branch].len())];
        }
        other
    }

    /// Something of any kind, between these branches.
    pub(super) fn any(&self, random: &mut Rng, known: &Known, branches: [usize; 2]) -> Content {
        match random.u32(..100) {
            0..8 => self.content(random, Kind::Deposit, branches),
            8..15 => self.content(random, Kind::Withdrawal, branches),
            15..23 => self.content(random, Kind::UpTo, branches),
            23..31 => self.content(random, Kind::Hold { expires_at: None }, branches),
            31..36 => {
                let expires_at = Some(soon(random));
                self.content(random, Kind::Hold { expires_at }, branches)
            }
            36..47 => {
                let hold = known.hold(random);
                self.of_hold(random, hold, branches)
            }
            47..57 => self.reversal(random, known, branches),
            _ => self.content(random, Kind::Transfer, branches),
        }
    }

    /// Two branches, the same twice one time in three.
    pub(super) fn branches(&self, random: &mut Rng) -> [usize; 2] {
        let from = random.usize(..2);
        [from, if random.u32(..100) < 65 { 1 - from } else { from }]
    }

    /// What needs nothing that is there before.
    pub(super) fn content(&self, random: &mut Rng, kind: Kind, [from, to]: [usize; 2]) -> Content {
        let amount = if random.u32(..50) == 0 { random.i64(100_000..2_000_000) } else { random.i64(1..5_000) };
        let account = self.draw(random, from);
        let (debit, credit) = match kind {
            Kind::Deposit => (self.cash[from], account),
            Kind::Withdrawal => (account, self.cash[from]),
            Kind::Transfer
            | Kind::UpTo
            | Kind::Hold { .. }
            | Kind::Capture { .. }
            | Kind::Release { .. }
            | Kind::Reversal { .. } => (account, self.draw_beside(random, to, account)),
        };
        let mut content = classified(random, plain(kind, debit, credit, amount));
        if kind == Kind::Transfer {
            self.maybe_doom(random, &mut content);
        }
        content
    }

    /// A capture of a part, of all or of too much, perhaps the last one; or a release. A transfer where there is no hold.
    pub(super) fn of_hold(&self, random: &mut Rng, hold: Option<Posted>, branches: [usize; 2]) -> Content {
        let Some(Posted { id: hold, content, amount }) = hold else {
            return self.content(random, Kind::Transfer, branches);
        };
        let Content { debit, credit, .. } = content;
        let (kind, amount) = match random.u32(..100) {
            0..20 => (Kind::Release { hold }, amount),
            20..35 => (Kind::Capture { hold, is_final: random.bool() }, amount),
            35..42 => (Kind::Capture { hold, is_final: random.bool() }, amount + 1),
            _ => (Kind::Capture { hold, is_final: random.u32(..4) == 0 }, random.i64(1..=amount)),
        };
        classified(random, plain(kind, debit, credit, amount))
    }

    /// A reversal of all or of a part, some of them forced. Now and then of what cannot be reversed.
    fn reversal(&self, random: &mut Rng, known: &Known, branches: [usize; 2]) -> Content {
        let of = if random.u32(..20) == 0 { known.hold(random) } else { known.moved(random) };
        let Some(Posted { id: original, content, amount }) = of else {
            return self.content(random, Kind::Transfer, branches);
        };
        let doomed = match content.kind {
            Kind::Hold { .. } | Kind::Release { .. } | Kind::Reversal { .. } => Some("not_reversible"),
            Kind::Transfer | Kind::UpTo | Kind::Deposit | Kind::Withdrawal | Kind::Capture { .. } => None,
        };
        let is_whole = random.bool();
        let kind = Kind::Reversal { original, is_whole, is_forced: random.u32(..4) == 0 };
        let amount = if is_whole { amount } else { random.i64(1..=amount) };
        let content = plain(kind, content.credit, content.debit, amount);
        Content { doomed, ..classified(random, content) }
    }

    /// One account that pays several, or several that pay one.
    pub(super) fn legs(&self, random: &mut Rng) -> Vec<Content> {
        let branch = random.usize(..2);
        let shared = self.draw(random, branch);
        let one_pays = random.bool();
        let reference = random.bool().then_some("payroll");
        let mut legs = Vec::new();
        for _ in 0..random.usize(2..7) {
            let branch = random.usize(..2);
            let other = self.draw_beside(random, branch, shared);
            let (debit, credit) = if one_pays { (shared, other) } else { (other, shared) };
            let leg = plain(Kind::Transfer, debit, credit, random.i64(1..3_000));
            legs.push(Content { reference, ..leg });
        }
        legs
    }

    /// One in thirty can never be posted.
    pub(super) fn maybe_doom(&self, random: &mut Rng, content: &mut Content) {
        let nobody = |account: i64| account / KEY_BASE * KEY_BASE + NOBODY;
        match random.u32(..120) {
            0 => (content.debit, content.doomed) = (nobody(content.debit), Some("debit_account_not_found")),
            1 => (content.credit, content.doomed) = (nobody(content.credit), Some("credit_account_not_found")),
            2 => (content.currency, content.doomed) = ("EUR", Some("currency_mismatch")),
            3 => (content.amount, content.doomed) = (1_000_000_000_000_000, Some("insufficient_funds")),
            _ => {}
        }
    }

    /// Another content that touches the same branches, so that one of the two is recorded.
    pub(super) fn vary(&self, random: &mut Rng, mut content: Content) -> Content {
        content.doomed = None;
        match random.u32(..3) {
            // All that is left, and all that was moved, are no amounts that are asked for.
            0 if !matches!(content.kind, Kind::Release { .. } | Kind::Reversal { is_whole: true, .. }) => {
                content.amount = if content.amount > 1 { content.amount - 1 } else { 2 };
            }
            0 | 1 => content.category += 1,
            _ if matches!(content.kind, Kind::Transfer | Kind::UpTo) => {
                let accounts = &self.accounts[usize::from(content.credit / KEY_BASE == 2)];
                let before = content.credit;
                while content.credit == before || content.credit == content.debit {
                    content.credit = accounts[random.usize(..accounts.len())];
                }
            }
            _ => content.reference = Some("other"),
        }
        content
    }
}

/// An instant that a hold may expire at, in microseconds of the Unix epoch.
pub(super) fn soon(random: &mut Rng) -> i64 {
    Timestamp::from(SystemTime::now() + Duration::from_millis(random.u64(EXPIRES_MS))).micros()
}

/// Without a category and a text.
fn plain(kind: Kind, debit: i64, credit: i64, amount: i64) -> Content {
    let currency = "USD";
    Content { kind, debit, credit, amount, currency, category: 0, reference: None, doomed: None, link: None }
}

fn classified(random: &mut Rng, content: Content) -> Content {
    let reference = match random.u32(..10) {
        0 => Some("rent"),
        1 => Some("Übertrag 'für' \"zwei\" €"),
        _ => None,
    };
    Content { category: random.u16(..4), reference, ..content }
}
