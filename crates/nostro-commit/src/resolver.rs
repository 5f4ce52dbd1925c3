//! The resolver of one batch, as a state machine without IO: the only actor besides a live coordinator.
//!
//! First home is asked, by one statement that inserts an abort row or returns the row that is there; so an answer
//! is final, and a decision that arrives later fails on the row. Then every participant is brought to that
//! verdict: COMMIT PREPARED, or ROLLBACK PREPARED and a tombstone, which makes a PREPARE that arrives later fail.
//! What contradicts the protocol is not repaired but reported ([`Alarm`]).

use crate::coordinator::Verdict;
use crate::id::{Batch, Part};
use crate::token::CommitToken;
use std::collections::BTreeSet;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// At home: insert the abort row or return the row that is there.
    Settle,
    /// At this participant, in a message of its own.
    CommitPrepared(Part, CommitToken),
    /// At this participant.
    RollBackPrepared(Part),
    /// At this participant: insert the aborted marker or return the marker that is there.
    Tombstone(Part),
    /// At this participant: read the marker, after COMMIT PREPARED met nothing.
    ReadMarker(Part),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Home's row.
    Settled {
        /// Its outcome.
        outcome: Verdict,
        /// Its parts, in byte order.
        parts: Vec<Part>,
    },
    /// Home is of a newer incarnation and has no row (NR001): nothing was written, and nobody may guess.
    OlderIncarnation,
    /// The prepared transaction was finished.
    Finished(Part),
    /// There is no prepared transaction of this name (42704).
    Missing(Part),
    /// The marker row of a participant; none if it was only read and is not there.
    Marker(Part, Option<Verdict>),
    /// Somebody else is at it (55P03, 55000): the participant may be about to prepare, or another resolver finishes.
    Busy(Part),
    /// The participant cannot be reached, or not now.
    Unreachable(Part),
}

/// What contradicts the protocol: for people, not for repair.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Alarm {
    /// Home's row has other parts than the gid.
    #[error("the decision row of {batch} names parts {row:?}, its gid names {gid:?}", batch = .0.id, row = .1, gid = .0.parts())]
    PartsDiffer(Batch, Vec<Part>),
    /// Home was restored since the batch, and has no row of it: its decision may be lost with what was not restored.
    #[error("{batch} is of an older incarnation of {home}, which was restored since and has no decision row of it", batch = .0.id, home = .0.id.home)]
    OlderIncarnation(Batch),
    /// Decided committed, but the participant has neither the prepared transaction nor its marker.
    #[error("{batch} is committed, but {part} has neither the prepared transaction nor the committed marker", batch = .0.id, part = .1)]
    LostPrepared(Batch, Part),
    /// Decided aborted, but the participant has a committed marker.
    #[error("{batch} is aborted, but {part} has a committed marker", batch = .0.id, part = .1)]
    CommittedAgainstVerdict(Batch, Part),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Send it.
    Send(Command),
    /// Home has spoken: the verdict is final.
    Decided(Verdict),
    /// Send it again after a pause.
    Retry(Command),
    /// Tell a human; this participant is left as it is.
    Alarm(Alarm),
    /// Nothing is left to do here.
    Done {
        /// Whether every participant is known to be at the verdict; else the rest is recovery's or a human's.
        complete: bool,
    },
}

/// The resolver of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resolver {
    batch: Batch,
    verdict: Option<Verdict>,
    waiting: BTreeSet<Part>,
    complete: bool,
}

impl Resolver {
    /// Begins: home is asked first.
    pub fn new(batch: Batch) -> (Self, Step) {
        let waiting = batch.participants.iter().collect();
        (Self { batch, verdict: None, waiting, complete: true }, Step::Send(Command::Settle))
    }

    /// Takes what came back, says what to do.
    pub fn on(&mut self, reply: Reply) -> Vec<Step> {
        match (self.verdict, reply) {
            (None, Reply::Settled { outcome, parts }) => self.settled(outcome, parts),
            (None, Reply::OlderIncarnation) => {
                vec![Step::Alarm(Alarm::OlderIncarnation(self.batch.clone())), Step::Done { complete: false }]
            }
            (Some(verdict), Reply::Finished(part)) => match verdict {
                Verdict::Committed => self.finished(part),
                Verdict::Aborted => vec![Step::Send(Command::Tombstone(part))],
            },
            (Some(verdict), Reply::Missing(part)) => match verdict {
                // 42704 alone is no proof of success: only the committed marker is.
                Verdict::Committed => vec![Step::Send(Command::ReadMarker(part))],
                Verdict::Aborted => vec![Step::Send(Command::Tombstone(part))],
            },
            (Some(verdict), Reply::Marker(part, marker)) => self.marker(verdict, part, marker),
            (Some(Verdict::Aborted), Reply::Busy(part)) => vec![Step::Retry(Command::RollBackPrepared(part))],
            (Some(Verdict::Committed), Reply::Busy(part) | Reply::Unreachable(part)) => {
                vec![Step::Retry(Command::CommitPrepared(part, CommitToken::decided(self.batch.id)))]
            }
            // The abort row alone makes it safe; recovery clears the slot when the participant is back.
            (Some(Verdict::Aborted), Reply::Unreachable(part)) => {
                self.complete = false;
                self.finished(part)
            }
            (None, Reply::Busy(_) | Reply::Unreachable(_)) => vec![Step::Retry(Command::Settle)],
            (None, Reply::Finished(_) | Reply::Missing(_) | Reply::Marker(..))
            | (Some(_), Reply::Settled { .. } | Reply::OlderIncarnation) => Vec::new(),
        }
    }

    fn settled(&mut self, outcome: Verdict, parts: Vec<Part>) -> Vec<Step> {
        if parts != self.batch.parts() {
            return vec![Step::Alarm(Alarm::PartsDiffer(self.batch.clone(), parts)), Step::Done { complete: false }];
        }
        self.verdict = Some(outcome);
        let mut steps = vec![Step::Decided(outcome)];
        steps.extend(self.waiting.iter().map(|part| {
            Step::Send(match outcome {
                Verdict::Committed => Command::CommitPrepared(*part, CommitToken::decided(self.batch.id)),
                Verdict::Aborted => Command::RollBackPrepared(*part),
            })
        }));
        if self.waiting.is_empty() {
            steps.push(Step::Done { complete: true });
        }
        steps
    }

    fn marker(&mut self, verdict: Verdict, part: Part, marker: Option<Verdict>) -> Vec<Step> {
        let alarm = match (verdict, marker) {
            (Verdict::Committed, Some(Verdict::Committed)) | (Verdict::Aborted, Some(Verdict::Aborted)) => None,
            (Verdict::Aborted, None) => return vec![Step::Retry(Command::RollBackPrepared(part))],
            (Verdict::Committed, Some(Verdict::Aborted) | None) => Some(Alarm::LostPrepared(self.batch.clone(), part)),
            (Verdict::Aborted, Some(Verdict::Committed)) => {
                Some(Alarm::CommittedAgainstVerdict(self.batch.clone(), part))
            }
        };
        self.complete &= alarm.is_none();
        alarm.map(Step::Alarm).into_iter().chain(self.finished(part)).collect()
    }

    fn finished(&mut self, part: Part) -> Vec<Step> {
        self.waiting.remove(&part);
        if self.waiting.is_empty() { vec![Step::Done { complete: self.complete }] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BatchId, Participants};
    use expect_test::{Expect, expect};

    fn part(code: &str) -> Part {
        code.parse().unwrap()
    }

    fn batch() -> Batch {
        let id = BatchId { home: part("AZ"), incarnation: 1, number: 7 };
        Batch { id, participants: Participants::new(id.home, [part("TX")]).unwrap() }
    }

    fn check(replies: &[Reply], expected: &Expect) {
        let (mut resolver, first) = Resolver::new(batch());
        assert_eq!(first, Step::Send(Command::Settle));
        let mut text = String::new();
        for reply in replies {
            text += &format!("{reply:?} -> {:?}\n", resolver.on(reply.clone()));
        }
        expected.assert_eq(&text.replace("CommitToken { batch: AZ-1-7 }", "token"));
    }

    fn settled(outcome: Verdict) -> Reply {
        Reply::Settled { outcome, parts: vec![part("AZ"), part("TX")] }
    }

    #[test]
    fn a_committed_batch_is_finished_at_its_participant() {
        let tx = part("TX");
        check(
            &[settled(Verdict::Committed), Reply::Unreachable(tx), Reply::Finished(tx)],
            &expect![[r#"
                Settled { outcome: Committed, parts: [AZ, TX] } -> [Decided(Committed), Send(CommitPrepared(TX, token))]
                Unreachable(TX) -> [Retry(CommitPrepared(TX, token))]
                Finished(TX) -> [Done { complete: true }]
            "#]],
        );
    }

    #[test]
    fn an_aborted_batch_is_rolled_back_and_gets_a_tombstone() {
        let tx = part("TX");
        let tomb = Reply::Marker(tx, Some(Verdict::Aborted));
        check(
            &[settled(Verdict::Aborted), Reply::Finished(tx), tomb.clone()],
            &expect![[r#"
                Settled { outcome: Aborted, parts: [AZ, TX] } -> [Decided(Aborted), Send(RollBackPrepared(TX))]
                Finished(TX) -> [Send(Tombstone(TX))]
                Marker(TX, Some(Aborted)) -> [Done { complete: true }]
            "#]],
        );
        check(
            &[settled(Verdict::Aborted), Reply::Missing(tx), Reply::Busy(tx), Reply::Finished(tx), tomb],
            &expect![[r#"
                Settled { outcome: Aborted, parts: [AZ, TX] } -> [Decided(Aborted), Send(RollBackPrepared(TX))]
                Missing(TX) -> [Send(Tombstone(TX))]
                Busy(TX) -> [Retry(RollBackPrepared(TX))]
                Finished(TX) -> [Send(Tombstone(TX))]
                Marker(TX, Some(Aborted)) -> [Done { complete: true }]
            "#]],
        );
        check(
            &[settled(Verdict::Aborted), Reply::Unreachable(tx)],
            &expect![[r#"
                Settled { outcome: Aborted, parts: [AZ, TX] } -> [Decided(Aborted), Send(RollBackPrepared(TX))]
                Unreachable(TX) -> [Done { complete: false }]
            "#]],
        );
    }

    #[test]
    fn nothing_prepared_is_no_proof_of_a_commit() {
        let tx = part("TX");
        let marker = |outcome| Reply::Marker(tx, outcome);
        check(
            &[settled(Verdict::Committed), Reply::Missing(tx), marker(Some(Verdict::Committed))],
            &expect![[r#"
                Settled { outcome: Committed, parts: [AZ, TX] } -> [Decided(Committed), Send(CommitPrepared(TX, token))]
                Missing(TX) -> [Send(ReadMarker(TX))]
                Marker(TX, Some(Committed)) -> [Done { complete: true }]
            "#]],
        );
        check(
            &[settled(Verdict::Committed), Reply::Missing(tx), marker(None)],
            &expect![[r#"
                Settled { outcome: Committed, parts: [AZ, TX] } -> [Decided(Committed), Send(CommitPrepared(TX, token))]
                Missing(TX) -> [Send(ReadMarker(TX))]
                Marker(TX, None) -> [Alarm(LostPrepared(Batch { id: AZ-1-7, participants: Participants([TX]) }, TX)), Done { complete: false }]
            "#]],
        );
        check(
            &[settled(Verdict::Committed), Reply::Missing(tx), marker(Some(Verdict::Aborted))],
            &expect![[r#"
                Settled { outcome: Committed, parts: [AZ, TX] } -> [Decided(Committed), Send(CommitPrepared(TX, token))]
                Missing(TX) -> [Send(ReadMarker(TX))]
                Marker(TX, Some(Aborted)) -> [Alarm(LostPrepared(Batch { id: AZ-1-7, participants: Participants([TX]) }, TX)), Done { complete: false }]
            "#]],
        );
    }

    #[test]
    fn what_contradicts_the_protocol_is_reported() {
        let tx = part("TX");
        check(
            &[settled(Verdict::Aborted), Reply::Missing(tx), Reply::Marker(tx, Some(Verdict::Committed))],
            &expect![[r#"
                Settled { outcome: Aborted, parts: [AZ, TX] } -> [Decided(Aborted), Send(RollBackPrepared(TX))]
                Missing(TX) -> [Send(Tombstone(TX))]
                Marker(TX, Some(Committed)) -> [Alarm(CommittedAgainstVerdict(Batch { id: AZ-1-7, participants: Participants([TX]) }, TX)), Done { complete: false }]
            "#]],
        );
        check(
            &[Reply::Settled { outcome: Verdict::Committed, parts: vec![part("AZ"), part("NV")] }],
            &expect![[r#"
                Settled { outcome: Committed, parts: [AZ, NV] } -> [Alarm(PartsDiffer(Batch { id: AZ-1-7, participants: Participants([TX]) }, [AZ, NV])), Done { complete: false }]
            "#]],
        );
    }

    #[test]
    fn a_restored_home_without_the_row_gives_no_verdict_and_nothing_is_touched() {
        check(
            &[Reply::Unreachable(part("AZ")), Reply::OlderIncarnation],
            &expect![[r#"
                Unreachable(AZ) -> [Retry(Settle)]
                OlderIncarnation -> [Alarm(OlderIncarnation(Batch { id: AZ-1-7, participants: Participants([TX]) })), Done { complete: false }]
            "#]],
        );
        let alarm = Alarm::OlderIncarnation(batch()).to_string();
        expect!["AZ-1-7 is of an older incarnation of AZ, which was restored since and has no decision row of it"]
            .assert_eq(&alarm);
    }

    #[test]
    fn home_is_asked_until_it_answers() {
        check(
            &[Reply::Unreachable(part("AZ")), Reply::Unreachable(part("AZ")), settled(Verdict::Aborted)],
            &expect![[r#"
            Unreachable(AZ) -> [Retry(Settle)]
            Unreachable(AZ) -> [Retry(Settle)]
            Settled { outcome: Aborted, parts: [AZ, TX] } -> [Decided(Aborted), Send(RollBackPrepared(TX))]
        "#]],
        );
    }
}
