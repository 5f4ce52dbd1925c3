//! One batch at all of its branches, as a full audit compares them.
//!
//! Each branch has a record of the batch (home's decision, a participant's marker), its nets, and the rows of its transfers, of
//! which whoever reads them makes groups: by the other branch, the currency and the month, with their count, sum and
//! hash and times. The branches must have the same groups, turned round; each branch's nets must be the sums of its groups; all
//! transfers have the batch's one time. A batch that is in flight is not given here: its branches may differ.
//!
//! Of months that are in the archive without having been audited nothing is known; what depends on them is not judged.

use crate::branch::BranchCode;
use crate::finding::{Finding, Findings, Rule};
use crate::time::Timestamp;
use crate::transfer_id::{Period, TransferId};
use std::collections::{BTreeMap, BTreeSet};

/// That a branch has a batch recorded as committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The branches that the record names.
    pub parts: BTreeSet<BranchCode>,
    /// When it was written, by the branch's clock.
    pub at: Timestamp,
}

/// The transfers of a batch that stand in one month at one branch and are with one other branch, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Code of the other branch; the branch's own for what moved no money between branches.
    pub counterparty: String,
    /// The currency.
    pub currency: String,
    /// The month.
    pub period: Period,
    /// How many.
    pub transfers: i64,
    /// What the branch owes the other one by them.
    pub net: i128,
    /// As the branch keeps it of the whole batch; none where no money moved between branches.
    pub hash: Option<Vec<u8>>,
    /// Over what else both branches have of them, such as their kinds and references; none where no money moved between
    /// branches, or where it was not kept.
    pub contents: Option<Vec<u8>>,
    /// When the first of them was posted.
    pub first_posted_at: Timestamp,
    /// When the last was.
    pub last_posted_at: Timestamp,
}

/// What a branch keeps of a batch with one other branch, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNet {
    /// Code of the other branch.
    pub counterparty: String,
    /// The currency.
    pub currency: String,
    /// Positive: it owes the other branch.
    pub amount: i64,
    /// Over its transfers, sorted by id.
    pub hash: Vec<u8>,
}

/// The hash over the transfers of several months, where all of them were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Code of the other branch.
    pub counterparty: String,
    /// The currency.
    pub currency: String,
    /// How many.
    pub transfers: i64,
    /// Over them, sorted by id.
    pub hash: Vec<u8>,
}

/// A batch at one branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchSide {
    /// The record of it.
    pub recorded: Option<Recorded>,
    /// What is kept of it.
    pub nets: Vec<KeptNet>,
    /// Its transfers.
    pub groups: Vec<Group>,
    /// Of batches with transfers of several months.
    pub wholes: Vec<Whole>,
}

/// What is not known at a branch, as it is in the archive and was not audited before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// The months.
    pub periods: BTreeSet<Period>,
    /// What was recorded before this may have had rows there.
    pub until: Option<Timestamp>,
}

impl Archived {
    /// Whether something that was recorded then may have had rows there.
    pub fn may_have(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| at < until)
    }

    /// Whether a batch may have had rows there. One without a record has no time; then anything may be its.
    fn may_have_of(&self, side: &BatchSide) -> bool {
        side.recorded.as_ref().map_or(self.until.is_some(), |recorded| self.may_have(recorded.at))
    }
}

/// Two branches that do not have the same transfers of a batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Differing {
    /// The batch.
    pub batch: String,
    /// The first branch in branch order.
    pub first: BranchCode,
    /// The other one.
    pub second: BranchCode,
}

/// A transfer as one branch has it: its content in words, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its id.
    pub id: TransferId,
    /// Everything that both branches have of it.
    pub words: String,
}

/// Judges a batch that is not in flight. The result names the pairs of branches whose transfers differ.
pub fn compare(
    batch: &str,
    sides: &BTreeMap<BranchCode, BatchSide>,
    archived: &BTreeMap<BranchCode, Archived>,
    findings: &mut Findings,
) -> Vec<Differing> {
    records(batch, sides, findings);
    for (branch, side) in sides {
        // Of rows that may be in the archive nothing is asked.
        if !archived.get(branch).is_some_and(|archived| archived.may_have_of(side)) {
            rows(batch, *branch, side, findings);
            nets(batch, *branch, side, findings);
        }
    }
    times(batch, sides, findings);
    let mut differing = Vec::new();
    for (first, second) in pairs(sides) {
        let at = |code: BranchCode| (sides.get(&code), archived.get(&code));
        if let Some((expected, found)) = difference((first, at(first)), (second, at(second))) {
            let (branch, key) = (Some(second), batch.to_owned());
            let finding = Finding { branch, rule: Rule::BatchTransfers, table: "transfer", key, expected, found };
            findings.push_shared(finding, [first, second]);
            differing.push(Differing { batch: batch.to_owned(), first, second });
        }
    }
    differing
}

/// The table in which a branch records a batch, by the batch's name, which begins with its home.
fn table_of_record(batch: &str, branch: BranchCode) -> &'static str {
    if batch.split('-').next() == Some(branch.as_str()) { "batch" } else { "participation" }
}

fn records(batch: &str, sides: &BTreeMap<BranchCode, BatchSide>, findings: &mut Findings) {
    let words = |parts: &BTreeSet<BranchCode>| {
        let codes: Vec<&str> = parts.iter().map(BranchCode::as_str).collect();
        format!("committed at {}", codes.join(", "))
    };
    let named = sides.values().find_map(|side| side.recorded.as_ref()).map(|recorded| recorded.parts.clone());
    let parts = named.clone().unwrap_or_default();
    let concerned: BTreeSet<BranchCode> = parts.iter().chain(sides.keys()).copied().collect();
    for branch in concerned.iter().copied() {
        let recorded = sides.get(&branch).and_then(|side| side.recorded.as_ref());
        let found = match recorded {
            Some(recorded) if recorded.parts == parts && parts.contains(&branch) => continue,
            Some(recorded) => words(&recorded.parts),
            None => "no committed row".to_owned(),
        };
        let expected = named.as_ref().map_or_else(|| "committed".to_owned(), &words);
        let (table, key) = (table_of_record(batch, branch), batch.to_owned());
        let finding = Finding { branch: Some(branch), rule: Rule::BatchRecord, table, key, expected, found };
        findings.push_shared(finding, concerned.iter().copied());
    }
}

/// Whether a branch that has a batch recorded has transfers of it, posted or refused: without any it is no part of it.
fn rows(batch: &str, branch: BranchCode, side: &BatchSide, findings: &mut Findings) {
    if side.recorded.is_some() && side.groups.is_empty() {
        let (expected, found) = ("transfers".to_owned(), "none".to_owned());
        let (branch, key) = (Some(branch), batch.to_owned());
        findings.push(Finding { branch, rule: Rule::BatchRows, table: "transfer", key, expected, found });
    }
}

/// Whether all transfers of a batch have one time, at all branches.
fn times(batch: &str, sides: &BTreeMap<BranchCode, BatchSide>, findings: &mut Findings) {
    let mut of_batch = None;
    for (branch, side) in sides {
        let first = side.groups.iter().map(|group| group.first_posted_at).min();
        let last = side.groups.iter().map(|group| group.last_posted_at).max();
        let Some((first, last)) = first.zip(last) else { continue };
        let expected: Timestamp = *of_batch.get_or_insert(first);
        if (first, last) != (expected, expected) {
            let (branch, key) = (Some(*branch), batch.to_owned());
            let (expected, found) = (format!("posted at {expected}"), format!("posted from {first} to {last}"));
            let finding = Finding { branch, rule: Rule::BatchTime, table: "transfer", key, expected, found };
            findings.push_shared(finding, sides.keys().copied());
        }
    }
}

/// Whether what a branch keeps of a batch is what its transfers come to.
fn nets(batch: &str, branch: BranchCode, side: &BatchSide, findings: &mut Findings) {
    let of_others = side.groups.iter().filter(|group| group.counterparty != branch.as_str());
    let mut grouped: BTreeMap<(&str, &str), Vec<&Group>> = BTreeMap::new();
    for group in of_others {
        grouped.entry((group.counterparty.as_str(), group.currency.as_str())).or_default().push(group);
    }
    let kept: BTreeMap<(&str, &str), &KeptNet> =
        side.nets.iter().map(|net| ((net.counterparty.as_str(), net.currency.as_str()), net)).collect();
    let names: BTreeSet<(&str, &str)> = grouped.keys().chain(kept.keys()).copied().collect();
    for name in names {
        let mut wrong = |rule, expected: String, found: String| {
            let (branch, key) = (Some(branch), format!("{batch} {} {}", name.0, name.1));
            findings.push(Finding { branch, rule, table: "batch_net", key, expected, found });
        };
        let groups = grouped.get(&name).map_or(&[][..], Vec::as_slice);
        let net = groups.iter().fold(0, |sum: i128, group| sum.saturating_add(group.net));
        let Some(kept) = kept.get(&name) else {
            wrong(Rule::BatchNet, format!("net {net}"), "no row".into());
            continue;
        };
        if groups.is_empty() {
            wrong(Rule::BatchNet, "no row, as it has no transfers".into(), format!("net {}", kept.amount));
            continue;
        }
        if i128::from(kept.amount) != net {
            wrong(Rule::BatchNet, format!("net {net}"), format!("net {}", kept.amount));
        }
        let hash = hash_of(side, name, groups);
        if hash.is_some_and(|hash| *hash != kept.hash) {
            wrong(Rule::BatchHash, hash.map_or_else(String::new, |hash| hex(hash)), hex(&kept.hash));
        }
    }
}

/// The hash over all transfers, where it is known: those of one month have it; of several only if all were read.
fn hash_of<'a>(side: &'a BatchSide, name: (&str, &str), groups: &[&'a Group]) -> Option<&'a Vec<u8>> {
    if let [only] = groups {
        return only.hash.as_ref();
    }
    let transfers = groups.iter().fold(0, |sum: i64, group| sum.saturating_add(group.transfers));
    let whole = side.wholes.iter().find(|whole| (whole.counterparty.as_str(), whole.currency.as_str()) == name);
    whole.filter(|whole| whole.transfers == transfers).map(|whole| &whole.hash)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pairs of branches of which one has transfers with the other, each once.
fn pairs(sides: &BTreeMap<BranchCode, BatchSide>) -> BTreeSet<(BranchCode, BranchCode)> {
    let with = |branch: BranchCode, group: &Group| {
        let other: BranchCode = group.counterparty.parse().ok()?;
        (other != branch).then(|| (branch.min(other), branch.max(other)))
    };
    sides.iter().flat_map(|(branch, side)| side.groups.iter().filter_map(|group| with(*branch, group))).collect()
}

/// A branch, what it has of the batch, and what it cannot know.
type Asked<'a> = (BranchCode, (Option<&'a BatchSide>, Option<&'a Archived>));

/// What the first group that differs is at the one branch and at the other.
fn difference(
    (first, (first_side, first_archived)): Asked<'_>,
    (second, (second_side, second_archived)): Asked<'_>,
) -> Option<(String, String)> {
    let groups = |side: Option<&BatchSide>, with: BranchCode| -> BTreeMap<(Period, String), Group> {
        let groups = side.into_iter().flat_map(|side| &side.groups);
        let groups = groups.filter(|group| group.counterparty == with.as_str());
        groups.map(|group| ((group.period, group.currency.clone()), group.clone())).collect()
    };
    let (left, right) = (groups(first_side, second), groups(second_side, first));
    let names: BTreeSet<&(Period, String)> = left.keys().chain(right.keys()).collect();
    names.into_iter().find_map(|name| {
        let unknown = |archived: Option<&Archived>| archived.is_some_and(|archived| archived.periods.contains(&name.0));
        if unknown(first_archived) || unknown(second_archived) {
            return None;
        }
        let (one, other) = (left.get(name), right.get(name));
        let agree = one.zip(other).is_some_and(|(one, other)| {
            one.transfers == other.transfers
                && one.net == other.net.saturating_neg()
                && one.hash == other.hash
                && one.contents.as_ref().zip(other.contents.as_ref()).is_none_or(|(one, other)| one == other)
        });
        let words = |at: BranchCode, group: Option<&Group>| match group {
            Some(group) => {
                let hash = group.hash.as_deref().and_then(|hash| hash.get(..4)).map(hex).unwrap_or_default();
                let (transfers, net, currency) = (group.transfers, group.net, &group.currency);
                format!("{at}: {transfers} transfers, net {net} {currency}, hash {hash}")
            }
            None => format!("{at}: no transfers of {}", name.1),
        };
        (!agree).then(|| (words(first, one), words(second, other)))
    })
}

/// The first transfer, in the order of ids, that two branches do not have alike; both lists are in that order.
pub fn first_difference(differing: &Differing, first: &[Content], second: &[Content]) -> Option<Finding> {
    let by_id =
        |list: &[Content]| list.iter().map(|one| (one.id, one.words.clone())).collect::<BTreeMap<TransferId, String>>();
    let (left, right) = (by_id(first), by_id(second));
    let ids: BTreeSet<TransferId> = left.keys().chain(right.keys()).copied().collect();
    let id = ids.into_iter().find(|id| left.get(id) != right.get(id))?;
    let words = |at: BranchCode, found: Option<&String>| match found {
        Some(words) => format!("{at}: {words}"),
        None => format!("{at}: no posted row in batch {}", differing.batch),
    };
    Some(Finding {
        branch: Some(differing.second),
        rule: Rule::TransferSides,
        table: "transfer",
        key: id.to_string(),
        expected: words(differing.first, left.get(&id)),
        found: words(differing.second, right.get(&id)),
    })
}

#[cfg(test)]
mod tests;
