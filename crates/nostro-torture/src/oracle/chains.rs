//! Chains: whatever crashed, all links are posted or all refused, in one batch, and each answer told the same of all.

use super::{Check, Violation, World};
use crate::books::{Books, Row};
use crate::history::{Answer, Attempt, Chain, Link};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The code of the links that are refused because of another one.
const CHAIN_BROKEN: &str = "chain_broken";

/// The rows of every chain, each id once, in the order of their places.
#[derive(Debug)]
pub(super) struct Chains<'a> {
    rows: HashMap<Uuid, Vec<&'a Row>>,
}

/// What an answer says of a link, as far as all links of a chain have it in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Posted,
    Refused,
    Conflict,
    NothingMoved,
    Open,
}

impl Word {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Posted { .. } | Answer::Settling { .. } => Self::Posted,
            Answer::Refused { .. } => Self::Refused,
            Answer::Conflict => Self::Conflict,
            Answer::Unavailable(_) | Answer::NotConnected | Answer::Rejected(_) => Self::NothingMoved,
            Answer::Indeterminate(_) | Answer::Nonsense(_) => Self::Open,
        }
    }
}

impl<'a> Chains<'a> {
    pub(super) fn of(books: &'a BTreeMap<i64, Books>) -> Self {
        let mut rows: HashMap<Uuid, Vec<&'a Row>> = HashMap::new();
        for row in books.values().flat_map(|books| &books.rows) {
            if let Some(Link { chain, .. }) = row.link {
                rows.entry(chain).or_default().push(row);
            }
        }
        for rows in rows.values_mut() {
            rows.sort_by_key(|row| (row.link.map(|link| link.position), row.id));
            rows.dedup_by_key(|row| row.id);
        }
        Self { rows }
    }

    /// The links before one, in their order.
    pub(super) fn before(&self, row: &Row) -> &[&'a Row] {
        let Some(link) = row.link else { return &[] };
        let rows = self.rows.get(&link.chain).map(Vec::as_slice).unwrap_or_default();
        let before = rows.partition_point(|row| row.link.is_some_and(|other| other.position < link.position));
        &rows[..before]
    }

    pub(super) fn check(&self, world: &World<'_>, violations: &mut Vec<Violation>) {
        for (chain, rows) in &self.rows {
            let mut told = |text: String| {
                let batch = Some(rows[0].batch.to_string());
                violations.push(Violation { check: Check::Chains, text, transfer: Some(*chain), batch });
            };
            is_whole(world, *chain, rows, &mut told);
        }
        for chain in &world.history.chains {
            answered_alike(world, chain, violations);
        }
    }
}

/// Rows at every branch count: one that is posted at a branch and refused at another was told by another check.
fn is_whole(world: &World<'_>, chain: Uuid, rows: &[&Row], told: &mut impl FnMut(String)) {
    let length = rows[0].link.map_or(0, |link| link.length);
    let places: Vec<Option<Link>> = rows.iter().map(|row| row.link).collect();
    let expected: Vec<Option<Link>> = (0..length).map(|position| Some(Link { chain, position, length })).collect();
    if places != expected || rows[0].id != chain {
        told(format!("its links are {places:?}, expected {length} of them"));
    }
    if rows.iter().any(|row| row.batch != rows[0].batch) {
        let batches: Vec<&str> = rows.iter().map(|row| &*row.batch).collect();
        told(format!("its links are in several batches: {batches:?}"));
    }
    let refused = rows.iter().filter(|row| row.refusal.is_some()).count();
    let broken: Vec<&&Row> =
        rows.iter().filter(|row| row.refusal.as_deref().is_some_and(|code| code != CHAIN_BROKEN)).collect();
    if refused != 0 && refused != rows.len() {
        told(format!("{refused} of its {} links are refused, the others posted", rows.len()));
    } else if refused != 0 && broken.len() != 1 {
        let codes: Vec<Option<&str>> = rows.iter().map(|row| row.refusal.as_deref()).collect();
        told(format!("it is refused by {} links: {codes:?}", broken.len()));
    }
    // Links are decided in their order, so the first that can never be posted is the last that is looked at.
    let doomed = |row: &&&Row| {
        let sent = world.by_id.get(&row.id);
        sent.and_then(|sent| sent.contents.iter().find(|content| content.link == row.link))
            .is_some_and(|content| content.doomed.is_some())
    };
    if let (Some(doomed), Some(broken)) = (rows.iter().find(doomed), broken.first())
        && doomed.link.map(|link| link.position) < broken.link.map(|link| link.position)
    {
        told(format!("it broke at {}, but {} before it can never be posted", broken.id, doomed.id));
    }
}

/// The attempts at a chain have one order at all of its links; what one says of a link it says of all.
fn answered_alike(world: &World<'_>, chain: &Chain, violations: &mut Vec<Violation>) {
    let attempts: Vec<Vec<&Attempt>> = chain
        .links
        .iter()
        .map(|(sent, content)| {
            let attempts = world.history.sent[*sent].attempts.iter();
            attempts.filter(|attempt| attempt.content == *content).collect()
        })
        .collect();
    let id = world.history.sent[chain.links[0].0].id;
    let mut told = |text: String| {
        violations.push(Violation { check: Check::Chains, text, transfer: Some(id), batch: None });
    };
    if attempts.iter().any(|of_link| of_link.len() != attempts[0].len()) {
        told("its links were not sent together: the rig is broken".into());
        return;
    }
    for number in 0..attempts[0].len() {
        let answers: Vec<&Answer> = attempts.iter().map(|of_link| &of_link[number].answer).collect();
        let words: Vec<Word> = answers.iter().map(|answer| Word::of(answer)).collect();
        if words.iter().any(|word| *word != words[0]) {
            told(format!("its links were answered differently: {answers:?}"));
        }
    }
}
