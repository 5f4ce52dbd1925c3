//! Random lists for the model: transfers of every kind, most of them between open accounts of their currency, by
//! themselves or linked; and lists of earlier batches again: as they were, in part, in other lists, with other content.

use crate::ledger::Ledger;
use crate::table::{NOW, chain, number};
use nostro_core::{AccountNumber, Amount, Currency, Operation, Reference, Timestamp, Transfer, TransferId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashSet;
use std::slice;

/// Customers' accounts in dollars, and in euros.
pub(crate) const CUSTOMERS: [(&str, [&str; 6]); 2] =
    [("USD", ["A1", "A2", "A3", "T1", "T2", "T3"]), ("EUR", ["A4", "A5", "A6", "T4", "T5", "T6"])];
/// No account has these numbers.
const ABSENT: [&str; 2] = ["A8", "T8"];
/// No id is drawn from here on, so that what is there before a case has ids of its own.
const IDS: u128 = 200;
/// From here on are the ids of transfers that are put into lists of earlier batches.
const NEW: u128 = 1_000;

/// What a case is made of.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What is free, limit, ceiling and state of each customer's account.
    pub(crate) start: Vec<(i64, i64, i64, usize)>,
    /// In which order the rows under ids are found.
    pub(crate) keys: Vec<u8>,
    /// Of the lists, in turn; 1 is a transfer by itself.
    lengths: Vec<usize>,
    drawn: Vec<Drawn>,
    again: Vec<Again>,
    /// In how many batches it all is decided.
    batches: usize,
}

/// A transfer: which kind, accounts, amount, a choice among what is there, and what is odd about it, if anything.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    id: u128,
    what: u8,
    debit: usize,
    step: usize,
    amount: i64,
    choice: usize,
    odd: u8,
}

/// A list of an earlier batch, once more.
#[derive(Clone, Debug)]
struct Again {
    list: u16,
    how: u8,
    at: usize,
}

/// What a capture, release, expiry or reversal names, with the accounts and the currency that go with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) id: TransferId,
    pub(crate) debit: AccountNumber,
    pub(crate) credit: AccountNumber,
    pub(crate) currency: Currency,
}

/// The cases.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    // Most accounts are open, and two of three have a ceiling.
    let start = vec((-40_i64..400, 0_i64..50, 0_i64..600, 0_usize..60), 12);
    // Most transfers are by themselves: of a long chain one link is nearly always refused.
    let lengths = vec((1_usize..10).prop_map(|drawn| drawn.saturating_sub(5).max(1)), 1..20);
    let drawn = (0..IDS, 0_u8..16, 0_usize..6, 1_usize..6, 1_i64..100, 0_usize..64, 0_u8..32);
    let drawn = drawn.prop_map(|(id, what, debit, step, amount, choice, odd)| Drawn {
        id,
        what,
        debit,
        step,
        amount,
        choice,
        odd,
    });
    let again = (0_u16..1_000, 0_u8..12, 0_usize..1_000).prop_map(|(list, how, at)| Again { list, how, at });
    (start, vec(any::<u8>(), 1..20), lengths, vec(drawn, 0..60), vec(again, 0..10), 1_usize..4)
        .prop_map(|(start, keys, lengths, drawn, again, batches)| Case { start, keys, lengths, drawn, again, batches })
}

impl Case {
    /// What is drawn for each batch.
    pub(crate) fn batches(&self) -> slice::Chunks<'_, Drawn> {
        self.drawn.chunks(self.drawn.len().div_ceil(self.batches).max(1))
    }

    /// The new lists of a batch, some of which are sent twice. Captures, releases, expiries and reversals name what is
    /// there before or what the batch places itself.
    pub(crate) fn lists(&self, drawn: &[Drawn], ledger: &Ledger) -> Vec<Vec<Transfer>> {
        let (mut placed, paid) = (ledger.placed(), ledger.paid());
        let mut transfers = Vec::new();
        for drawn in drawn {
            let transfer = drawn.transfer(&placed, &paid);
            let Transfer { id, debit, credit, currency, operation, .. } = transfer;
            if matches!(operation, Operation::Hold { .. }) && placed.iter().all(|known| known.id != id) {
                placed.push(Named { id, debit, credit, currency });
            }
            transfers.push(transfer);
        }
        chained(transfers, &self.lengths)
    }

    /// The lists of a batch with earlier ones among them.
    pub(crate) fn among(&self, mut lists: Vec<Vec<Transfer>>, asked: &[Vec<Transfer>]) -> Vec<Vec<Transfer>> {
        if asked.is_empty() {
            return lists;
        }
        for again in &self.again {
            lists.insert(again.at % (lists.len() + 1), again.asked(asked));
        }
        lists
    }
}

/// The transfers in chains of the drawn lengths, some of which are sent twice. A length of 1 is a transfer by itself.
fn chained(transfers: Vec<Transfer>, lengths: &[usize]) -> Vec<Vec<Transfer>> {
    let mut rest = transfers.into_iter();
    let mut chains = Vec::new();
    for length in lengths.iter().cycle() {
        let links: Vec<Transfer> = rest.by_ref().take(*length).collect();
        if links.is_empty() {
            break;
        }
        let ids: HashSet<TransferId> = links.iter().map(|link| link.id).collect();
        if links.len() > 1 && ids.len() == links.len() && !links.iter().any(is_expiry) {
            let links = chain(links);
            if length % 2 == 0 {
                chains.push(links.clone());
            }
            chains.push(links);
        } else {
            chains.extend(links.into_iter().map(|transfer| vec![transfer]));
        }
    }
    chains
}

/// Nobody asks for one, so none is in a chain.
fn is_expiry(transfer: &Transfer) -> bool {
    matches!(transfer.operation, Operation::Expiry { .. })
}

fn id(number: u128) -> TransferId {
    TransferId(uuid::Uuid::from_u128(number))
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

impl Drawn {
    fn transfer(&self, placed: &[Named], paid: &[Named]) -> Transfer {
        let (code, names) = CUSTOMERS[usize::from((4..=11).contains(&self.odd))];
        let id = id(self.id);
        let [debit, credit] = [self.debit, (self.debit + self.step) % names.len()].map(|at| number(names[at]));
        let pair = Named { id, debit, credit, currency: currency(code) };
        let named = |from: &[Named]| from[self.choice % from.len()];
        let (operation, of) = self.operation(pair, named(placed), named(paid));
        let mut transfer = Transfer {
            id,
            operation,
            debit: of.debit,
            credit: of.credit,
            amount: Amount::new(self.amount).unwrap(),
            currency: of.currency,
            category: u16::from(self.odd == 12),
            reference: None,
            link: None,
        };
        let [no_debit, no_credit] = ABSENT.map(number);
        match self.odd {
            0 => transfer.debit = no_debit,
            1 => transfer.credit = no_credit,
            2 => transfer.currency = other_currency(transfer.currency),
            // Other accounts than those of what is named.
            3 => (transfer.debit, transfer.credit) = (debit, credit),
            _ => {}
        }
        transfer
    }

    /// What it does, and between which accounts.
    fn operation(&self, pair: Named, hold: Named, paid: Named) -> (Operation, Named) {
        let asked = Amount::new(self.amount).unwrap();
        let cash = AccountNumber::cash(pair.debit.branch(), pair.currency);
        // Due at once, in the second batch or in the third.
        let expires_at = Timestamp::from_micros(NOW + i64::try_from(self.step / 2).unwrap());
        match self.what {
            0..=3 => (Operation::Transfer, pair),
            4 => (Operation::UpTo { asked }, pair),
            5 => (Operation::Deposit, Named { debit: cash, credit: pair.debit, ..pair }),
            6 => (Operation::Withdrawal, Named { credit: cash, ..pair }),
            7 => (Operation::Hold { expires_at: None }, pair),
            8 => (Operation::Hold { expires_at: Some(expires_at) }, pair),
            9..=11 => (Operation::Capture { hold: hold.id, is_final: self.step.is_multiple_of(2) }, hold),
            12 => (Operation::Release { hold: hold.id }, hold),
            13 => (Operation::Expiry { hold: hold.id }, hold),
            _ => (Operation::Reversal { original: paid.id, is_forced: self.amount % 3 == 0 }, paid),
        }
    }
}

fn other_currency(of: Currency) -> Currency {
    let [(dollars, _), (euros, _)] = CUSTOMERS;
    currency(if of == currency(dollars) { euros } else { dollars })
}

impl Again {
    /// One of the lists that were asked for.
    fn asked(&self, asked: &[Vec<Transfer>]) -> Vec<Transfer> {
        let links = &asked[usize::from(self.list) % asked.len()];
        if links.iter().any(is_expiry) {
            return links.clone();
        }
        let at = self.at % links.len();
        let mut alone: Vec<Transfer> = links.iter().map(|link| Transfer { link: None, ..link.clone() }).collect();
        match self.how {
            0..=5 => links.clone(),
            6 if alone.len() > 1 => {
                alone.remove(at);
                chain(alone)
            }
            6 | 7 => vec![alone.swap_remove(at)],
            // In another order; of a transfer by itself a chain of one link.
            8 => chain(alone.into_iter().rev().collect()),
            9 => {
                let more = Transfer { id: id(NEW + u128::from(self.list)), ..alone[at].clone() };
                alone.push(more);
                chain(alone)
            }
            _ => {
                let mut links = links.clone();
                links[at] = with_other_content(links[at].clone(), self.at / links.len());
                links
            }
        }
    }
}

/// The same id for something else; of what follows from a hold some of it is not said by the request, and so the same.
fn with_other_content(transfer: Transfer, which: usize) -> Transfer {
    let amount = Amount::new(transfer.amount.minor_units() + 1).unwrap();
    match which % 6 {
        0 if transfer.operation.asked().is_some() => {
            Transfer { amount, operation: Operation::UpTo { asked: amount }, ..transfer }
        }
        0 => Transfer { amount, ..transfer },
        1 => Transfer { debit: transfer.credit, credit: transfer.debit, ..transfer },
        2 => Transfer { currency: other_currency(transfer.currency), ..transfer },
        3 => Transfer { category: transfer.category + 1, ..transfer },
        4 => Transfer { reference: Some(Reference::new("rent").unwrap()), ..transfer },
        _ => {
            let operation =
                if transfer.operation == Operation::Transfer { Operation::Deposit } else { Operation::Transfer };
            Transfer { operation, ..transfer }
        }
    }
}
