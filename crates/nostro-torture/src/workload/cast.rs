//! Who plays: the accounts of both branches, and what is drawn to happen between them.

use super::PATIENCE;
use super::calls::send;
use crate::history::{Answer, Content, Kind, Recorder};
use crate::stage::Stage;
use fastrand::Rng;
use nostro_client::{NewAccount, NewCustomer};
use nostro_core::AccountNumber;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Accounts of each branch by what they are like.
const HOT: usize = 3;
const POOR: usize = 2;
const WITH_LIMIT: usize = 3;
const COMMON: usize = 22;
const MONEY: i64 = 1_000_000;
const LIMIT: i64 = 50_000;
/// Serial of an account that nobody has.
const NOBODY: i64 = 899_999_999_999;
const KEY_BASE: i64 = 1_000_000_000_000;

/// Who plays.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// By branch: hot, poor, with a limit, common, in this order.
    accounts: [Vec<i64>; 2],
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
            let customer = client.create_customer(&customer).await.unwrap();
            cast.cash[at] = (i64::try_from(at).expect("two branches") + 1) * KEY_BASE + 840;
            for place in 0..HOT + POOR + WITH_LIMIT + COMMON {
                let is_limited = (HOT + POOR..HOT + POOR + WITH_LIMIT).contains(&place);
                let new = NewAccount {
                    id: Uuid::now_v7(),
                    customer: customer.number,
                    kind: "checking".into(),
                    currency: crate::money::dollars(),
                    overdraft_limit: if is_limited { LIMIT } else { 0 },
                };
                let number = client.open_account(&new).await.unwrap().number;
                let account = key(number);
                cast.accounts[at].push(account);
                cast.numbers.insert(account, number);
                if !(HOT..HOT + POOR + WITH_LIMIT).contains(&place) {
                    let content = Content {
                        kind: Kind::Deposit,
                        debit: cast.cash[at],
                        credit: account,
                        amount: MONEY,
                        currency: "USD",
                        category: 0,
                        reference: None,
                        doomed: None,
                    };
                    let sent = recorder.open(Uuid::now_v7(), content);
                    let answer = send(&client, recorder, sent, 0, 0, PATIENCE).await;
                    assert!(matches!(answer, Answer::Posted { .. }), "{answer:?}");
                }
            }
        }
        cast
    }

    /// All accounts, those of the bank included.
    pub fn all(&self) -> Vec<(i64, AccountNumber)> {
        let own = self.cash.iter().map(|account| (*account, number(*account)));
        self.numbers.iter().map(|(account, number)| (*account, *number)).chain(own).collect()
    }

    /// A transfer from one branch to the other, between common accounts.
    pub fn across(&self, from: usize) -> Content {
        Content {
            kind: Kind::Transfer,
            debit: self.accounts[from][HOT + POOR + WITH_LIMIT],
            credit: self.accounts[1 - from][HOT + POOR + WITH_LIMIT],
            amount: 1,
            currency: "USD",
            category: 0,
            reference: Some("after the faults"),
            doomed: None,
        }
    }

    pub(super) fn draw(&self, random: &mut Rng, branch: usize) -> i64 {
        let accounts = &self.accounts[branch];
        if random.u32(..100) < 35 { accounts[random.usize(..HOT)] } else { accounts[random.usize(..accounts.len())] }
    }

    pub(super) fn content(&self, random: &mut Rng, kind: Kind) -> Content {
        let branch = random.usize(..2);
        let reference = match random.u32(..10) {
            0 => Some("rent"),
            1 => Some("Übertrag 'für' \"zwei\" €"),
            _ => None,
        };
        let amount = if random.u32(..50) == 0 { random.i64(100_000..2_000_000) } else { random.i64(1..5_000) };
        let category = random.u16(..4);
        let account = self.draw(random, branch);
        let mut content = Content {
            kind,
            debit: account,
            credit: self.cash[branch],
            amount,
            currency: "USD",
            category,
            reference,
            doomed: None,
        };
        match kind {
            Kind::Withdrawal => {}
            Kind::Deposit => (content.debit, content.credit) = (content.credit, content.debit),
            Kind::Transfer => {
                let to = if random.u32(..100) < 65 { 1 - branch } else { branch };
                content.credit = self.draw(random, to);
                while content.credit == content.debit {
                    content.credit = self.accounts[to][random.usize(..self.accounts[to].len())];
                }
                self.maybe_doom(random, &mut content);
            }
        }
        content
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
            0 => content.amount = if content.amount > 1 { content.amount - 1 } else { 2 },
            1 => content.category += 1,
            _ if content.kind == Kind::Transfer => {
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
