//! Which transfers the clients make: accounts, shares, ids. The same seed gives the same choices.
//!
//! Accounts are numbered from 0, those of a branch in a row, so that a choice is an index and nothing is looked up.

use crate::options::{Ids, Mix};
use fastrand::Rng;
use nostro_core::AccountNumber;
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// So small that no account runs dry.
const AMOUNT_MAX: i64 = 100;

/// The customers' accounts that the bench opened.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// As the API writes them.
    pub(crate) text: Vec<Box<str>>,
    pub(crate) number: Vec<AccountNumber>,
    /// As the tables write them; growing within a branch.
    pub(crate) key: Vec<i64>,
    /// By branch.
    pub(crate) ranges: Vec<Range<u32>>,
}

impl Accounts {
    /// Appends the accounts of the next branch.
    pub(crate) fn push_branch(&mut self, numbers: impl Iterator<Item = (AccountNumber, i64)>) {
        let begin = self.len();
        for (number, key) in numbers {
            self.text.push(number.to_string().into());
            self.number.push(number);
            self.key.push(key);
        }
        self.ranges.push(begin..self.len());
    }

    fn len(&self) -> u32 {
        u32::try_from(self.key.len()).expect("ACCOUNTS_MAX is less than 2^32")
    }

    /// Which branch keeps an account.
    pub(crate) fn branch_of(&self, account: u32) -> usize {
        self.ranges.partition_point(|range| range.end <= account)
    }
}

/// A transfer to be made, between accounts by their index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) id: Uuid,
    pub(crate) debit: u32,
    pub(crate) credit: u32,
    pub(crate) amount: i64,
}

/// One client's choices.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    accounts: Arc<Accounts>,
    mix: Mix,
    rng: Rng,
    /// Of ids, which must not come again: no seed.
    id_rng: Rng,
    /// Cumulated shares of the ranks, when the choice is not even.
    ranks: Option<Arc<[f64]>>,
    counter: u32,
}

/// Hands out choices that differ from client to client.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) mix: Mix,
    ranks: Option<Arc<[f64]>>,
}

impl Workload {
    pub(crate) fn new(accounts: Accounts, mix: Mix) -> Self {
        let longest = accounts.ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let ranks = (mix.zipf > 0.0).then(|| ranks(longest, mix.zipf));
        Self { accounts: Arc::new(accounts), mix, ranks }
    }

    /// The same accounts, chosen alike, with other shares.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Mix)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.mix);
        changed
    }

    /// The choices of client number `client`.
    pub(crate) fn choices(&self, client: usize) -> Choices {
        let seed = self.mix.seed ^ ((client as u64) << 40);
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.u64(..);
        Choices {
            accounts: Arc::clone(&self.accounts),
            mix: self.mix,
            rng,
            id_rng: Rng::new(),
            ranks: self.ranks.clone(),
            counter: 0,
        }
    }
}

/// How much of all choices falls on the first ranks.
fn ranks(count: usize, exponent: f64) -> Arc<[f64]> {
    let mut sum = 0.0;
    let mut cumulated: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    cumulated.iter_mut().for_each(|share| *share /= sum);
    cumulated.into()
}

impl Choices {
    /// Any transfer.
    pub(crate) fn any(&mut self) -> Op {
        let branches = self.accounts.ranges.len();
        let is_cross = self.is_cross();
        // The account that everybody pays is of the first branch.
        if self.rng.f64() < self.mix.hot {
            let payer = if is_cross { self.rng.usize(1..branches) } else { 0 };
            return self.paying_hot(0, payer);
        }
        let debit = self.rng.usize(..branches);
        let credit = self.counterparty(debit, is_cross);
        self.between(debit, credit)
    }

    /// Any transfer, and one that passes its amount on.
    pub(crate) fn chain(&mut self) -> [Op; 2] {
        let first = self.any();
        let is_cross = self.is_cross();
        let credit = self.counterparty(self.accounts.branch_of(first.credit), is_cross);
        let second = self.paying(first.credit, credit);
        [first, Op { amount: first.amount, ..second }]
    }

    /// A transfer that touches these two branches only.
    pub(crate) fn within_pair(&mut self, pair: [usize; 2]) -> Op {
        let [first, second] = pair;
        let is_cross = self.is_cross();
        if self.rng.f64() < self.mix.hot {
            return self.paying_hot(first, if is_cross { second } else { first });
        }
        let (debit, other) = if self.rng.bool() { (first, second) } else { (second, first) };
        self.between(debit, if is_cross { other } else { debit })
    }

    /// Any account.
    pub(crate) fn account(&mut self) -> u32 {
        let branch = self.rng.usize(..self.accounts.ranges.len());
        self.pick(branch)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.usize(..end)
    }

    /// Whether this item repeats an id.
    pub(crate) fn is_replay(&mut self) -> bool {
        self.mix.replays > 0.0 && self.rng.f64() < self.mix.replays
    }

    fn is_cross(&mut self) -> bool {
        self.rng.f64() < self.mix.cross
    }

    /// The branch that is paid by this one: another one or itself.
    fn counterparty(&mut self, branch: usize, is_cross: bool) -> usize {
        let branches = self.accounts.ranges.len();
        if is_cross { (branch + self.rng.usize(1..branches)) % branches } else { branch }
    }

    fn paying_hot(&mut self, branch: usize, payer: usize) -> Op {
        let hot = self.accounts.ranges[branch].start;
        let mut debit = self.pick(payer);
        if debit == hot {
            debit = self.accounts.ranges[payer].end - 1;
        }
        self.op(debit, hot)
    }

    fn between(&mut self, debit: usize, credit: usize) -> Op {
        let from = self.pick(debit);
        self.paying(from, credit)
    }

    /// From this account to one of this branch.
    fn paying(&mut self, from: u32, credit: usize) -> Op {
        let mut to = self.pick(credit);
        if from == to {
            let range = self.accounts.ranges[credit].clone();
            to = if from + 1 < range.end { from + 1 } else { range.start };
        }
        self.op(from, to)
    }

    fn op(&mut self, debit: u32, credit: u32) -> Op {
        Op { id: self.id(), debit, credit, amount: self.rng.i64(1..=AMOUNT_MAX) }
    }

    fn pick(&mut self, branch: usize) -> u32 {
        let range = self.accounts.ranges[branch].clone();
        match &self.ranks {
            None => self.rng.u32(range),
            Some(ranks) => {
                let ranks = &ranks[..range.len()];
                let share = self.rng.f64() * ranks[ranks.len() - 1];
                let rank = ranks.partition_point(|upto| *upto < share).min(ranks.len() - 1);
                range.start + u32::try_from(rank).unwrap_or(0)
            }
        }
    }

    /// Version 7 (RFC 9562): milliseconds, then a counter, so that a client's ids grow, then random bits.
    pub(crate) fn id(&mut self) -> Uuid {
        if self.mix.ids == Ids::V4 {
            return uuid::Builder::from_random_bytes(self.id_rng.u128(..).to_be_bytes()).into_uuid();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.counter = self.counter.wrapping_add(1);
        let counter = u128::from(self.counter);
        let high = (now & 0xffff_ffff_ffff) << 80 | 7 << 76 | ((counter >> 14) & 0xfff) << 64;
        let low = 2 << 62 | (counter & 0x3fff) << 48 | u128::from(self.id_rng.u64(..) >> 16);
        Uuid::from_u128(high | low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(mix: Mix) -> Workload {
        let mut accounts = Accounts::default();
        for (branch, code) in ["AZ", "TX"].iter().enumerate() {
            let number = |serial: u64| AccountNumber::new(code.parse().unwrap(), serial).unwrap();
            accounts.push_branch((1..=50).map(|serial| (number(serial), (branch as i64 + 1) * 1000 + serial as i64)));
        }
        Workload::new(accounts, mix)
    }

    const MIX: Mix = Mix { cross: 1.0, hot: 0.0, zipf: 0.0, replays: 0.0, ids: Ids::V7, seed: 1 };

    #[test]
    fn shares_are_kept() {
        for (mix, cross, hot) in [
            (MIX, 1000..=1000, 0..=60),
            (Mix { cross: 0.0, ..MIX }, 0..=0, 0..=60),
            (Mix { cross: 0.5, hot: 0.9, ..MIX }, 430..=570, 860..=940),
            (Mix { zipf: 1.0, ..MIX }, 1000..=1000, 50..=200),
        ] {
            let workload = workload(mix);
            let mut choices = workload.choices(0);
            let ops: Vec<Op> = (0..1000).map(|_| choices.any()).collect();
            let branch = |account| workload.accounts.branch_of(account);
            assert!(ops.iter().all(|op| op.debit != op.credit && op.amount > 0));
            let crossing = ops.iter().filter(|op| branch(op.debit) != branch(op.credit)).count();
            let hottest = ops.iter().filter(|op| op.credit == 0).count();
            assert!(cross.contains(&crossing) && hot.contains(&hottest), "{mix:?}: {crossing} {hottest}");
        }
    }

    #[test]
    fn the_second_link_of_a_chain_passes_on_what_the_first_brings() {
        for (cross, expected) in [(1.0, 2000..=2000), (0.0, 0..=0), (0.5, 900..=1100)] {
            let workload = workload(Mix { cross, ..MIX });
            let mut choices = workload.choices(0);
            let chains: Vec<[Op; 2]> = (0..1000).map(|_| choices.chain()).collect();
            for [first, second] in &chains {
                assert_eq!((second.debit, second.amount), (first.credit, first.amount));
                assert!(second.debit != second.credit && second.id != first.id);
            }
            let branch = |account| workload.accounts.branch_of(account);
            let crossing = chains.iter().flatten().filter(|op| branch(op.debit) != branch(op.credit)).count();
            assert!(expected.contains(&crossing), "{cross}: {crossing}");
        }
    }

    #[test]
    fn ids_of_version_7_grow_and_those_of_version_4_do_not() {
        let mut choices = workload(MIX).choices(0);
        let ids: Vec<Uuid> = (0..100).map(|_| choices.id()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7));
        let mut choices = workload(Mix { ids: Ids::V4, ..MIX }).choices(0);
        let ids: Vec<Uuid> = (0..100).map(|_| choices.id()).collect();
        assert!(!ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 4));
    }

    #[test]
    fn the_same_seed_gives_the_same_choices_and_another_client_others() {
        let accounts = |client| {
            let mut choices = workload(MIX).choices(client);
            (0..20).map(|_| choices.any()).map(|op| (op.debit, op.credit)).collect::<Vec<_>>()
        };
        assert_eq!(accounts(3), accounts(3));
        assert_ne!(accounts(3), accounts(4));
    }
}
