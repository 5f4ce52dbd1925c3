//! Real time: an account's history agrees with when things were acknowledged, read and refused.

use super::{Check, Side, Violation, When, World};
use crate::history::{Answer, Attempt, Micros, Read};
use std::collections::BTreeMap;

/// The history of one account with what is known of when each posting happened.
struct Line<'a> {
    account: i64,
    sides: &'a [Side<'a>],
    when: Vec<Option<When>>,
    /// (posted everywhere, highest number so far), by time.
    posted: Vec<(Micros, i64)>,
    /// (invoked, lowest number from here on), by time.
    invoked: Vec<(Micros, i64)>,
}

pub(super) fn check(world: &World<'_>, sides: &BTreeMap<i64, Vec<Side<'_>>>, violations: &mut Vec<Violation>) {
    let lines: BTreeMap<i64, Line<'_>> =
        sides.iter().map(|(account, sides)| (*account, Line::new(world, *account, sides))).collect();
    for line in lines.values() {
        line.real_time(violations);
    }
    for read in &world.history.reads {
        let line = lines.get(&read.account);
        if let Some(text) = line.map_or_else(|| unseen(read), |line| line.misread(read)) {
            violations.push(Violation { check: Check::Order, text, transfer: None, batch: None });
        }
    }
    refusals(world, &lines, violations);
}

fn unseen(read: &Read) -> Option<String> {
    let text = format!("{} was read with number {} at {}, it has no entry", read.account, read.seq, read.balance);
    ((read.seq, read.balance) != (0, 0)).then_some(text)
}

impl<'a> Line<'a> {
    fn new(world: &World<'_>, account: i64, sides: &'a [Side<'a>]) -> Self {
        let when: Vec<Option<When>> = sides.iter().map(|side| world.when(side.row.id)).collect();
        let known = || sides.iter().zip(&when).filter_map(|(side, when)| Some((side.seq, (*when)?)));
        let mut posted: Vec<(Micros, i64)> = known().map(|(seq, when)| (when.posted, seq)).collect();
        posted.sort_unstable();
        let mut highest = 0;
        for (_, seq) in &mut posted {
            highest = highest.max(*seq);
            *seq = highest;
        }
        let mut invoked: Vec<(Micros, i64)> = known().map(|(seq, when)| (when.invoked, seq)).collect();
        invoked.sort_unstable();
        let mut lowest = i64::MAX;
        for (_, seq) in invoked.iter_mut().rev() {
            lowest = lowest.min(*seq);
            *seq = lowest;
        }
        Self { account, sides, when, posted, invoked }
    }

    /// What was acknowledged before something else was asked for has the lower number.
    fn real_time(&self, violations: &mut Vec<Violation>) {
        let mut earliest: Option<(Micros, &Side<'_>)> = None;
        // One wrong acknowledgement stands behind much: it is told once.
        let mut told = 0;
        for (side, when) in self.sides.iter().zip(&self.when).rev() {
            let Some(when) = when else { continue };
            let wrong = earliest.filter(|(acknowledged, later)| *acknowledged < when.invoked && later.seq != told);
            if let Some((acknowledged, later)) = wrong {
                told = later.seq;
                violations.push(Violation {
                    check: Check::Order,
                    text: format!(
                        "{}: number {} ({}) was acknowledged at {acknowledged} us, number {} was asked for at {} us",
                        self.account, later.seq, later.row.id, side.seq, when.invoked
                    ),
                    transfer: Some(side.row.id),
                    batch: Some(side.row.batch.to_string()),
                });
            }
            if earliest.is_none_or(|(acknowledged, _)| when.acknowledged < acknowledged) {
                earliest = Some((when.acknowledged, side));
            }
        }
    }

    /// The highest number that is surely there at an instant.
    fn at_least(&self, at: Micros) -> i64 {
        let before = self.posted.partition_point(|(posted, _)| *posted < at);
        before.checked_sub(1).map_or(0, |last| self.posted[last].1)
    }

    /// The highest number that can be there at an instant.
    fn at_most(&self, at: Micros) -> i64 {
        let first_after = self.invoked.partition_point(|(invoked, _)| *invoked <= at);
        let last = self.sides.last().map_or(0, |side| side.seq);
        self.invoked.get(first_after).map_or(last, |(_, lowest)| (lowest - 1).min(last))
    }

    fn balance(&self, seq: i64) -> Option<i64> {
        if seq == 0 {
            return Some(0);
        }
        let at = self.sides.binary_search_by_key(&seq, |side| side.seq).ok()?;
        Some(self.sides[at].balance_after)
    }

    fn misread(&self, read: &Read) -> Option<String> {
        let (least, most) = (self.at_least(read.invoked), self.at_most(read.completed));
        let shown = format!("{} was read with number {} at {}", self.account, read.seq, read.balance);
        if read.seq < least {
            return Some(format!("{shown} at {} us, number {least} had been acknowledged as posted", read.invoked));
        }
        if read.seq > most {
            return Some(format!("{shown} at {} us, number {} had not been asked for", read.completed, most + 1));
        }
        let expected = self.balance(read.seq);
        (expected != Some(read.balance)).then(|| format!("{shown}, its history has {expected:?} there"))
    }

    /// What is wrong with a refusal that was decided at this instant of the branch, and asked for and answered at these.
    fn misjudged(&self, decided: i64, invoked: Micros, completed: Micros) -> Option<String> {
        let number = |sides: &[Side<'_>]| sides.last().map_or(0, |side| side.seq);
        let before = self.sides.partition_point(|side| side.row.posted_at < decided);
        let by_then = self.sides.partition_point(|side| side.row.posted_at <= decided);
        let (first, last) = (number(&self.sides[..before]), number(&self.sides[..by_then]));
        let (least, most) = (self.at_least(invoked), self.at_most(completed));
        let account = self.account;
        if last < least {
            return Some(format!("refused after number {last} of {account}, {least} had been acknowledged as posted"));
        }
        let text = || format!("refused after number {first} of {account}, {} had not been asked for", most + 1);
        (first > most).then(text)
    }
}

/// A refusal was decided between its invocation and its answer, as far as the entries of its debit account tell.
fn refusals(world: &World<'_>, lines: &BTreeMap<i64, Line<'_>>, violations: &mut Vec<Violation>) {
    for sent in &world.history.sent {
        let is_refused = |attempt: &&Attempt| matches!(attempt.answer, Answer::Refused { .. });
        let Some(answered) = sent.attempts.iter().find(is_refused) else { continue };
        // The refusal may be an earlier attempt's, whose answer was lost.
        let asked = sent.attempts.iter().filter(|attempt| attempt.content == answered.content);
        let invoked = asked.map(|attempt| attempt.invoked).min().unwrap_or(answered.invoked);
        let Some((_, row)) = world.rows_of(sent.id).iter().find(|(_, row)| row.refusal.is_some()) else { continue };
        let line = lines.get(&row.debit);
        if let Some(text) = line.and_then(|line| line.misjudged(row.posted_at, invoked, answered.completed)) {
            let (transfer, batch) = (Some(sent.id), Some(row.batch.to_string()));
            violations.push(Violation { check: Check::Order, text, transfer, batch });
        }
    }
}
