//! The coordinator of one batch, as a state machine without IO: what happened in, what to do out.
//!
//! Votes come from every part: a participant is ready when its PREPARE is acknowledged, home when its writes
//! are. Only when all are ready is the decision sent, once. An answer that is lost, a warning or an error to it
//! leaves the batch in doubt, and then nobody but the resolver may say what happened. Before the decision is
//! sent the coordinator knows that there will be none, so the batch is aborted for certain, even if a part cannot
//! be reached; what may be prepared is then cleared by the resolver, whose abort row stops a late PREPARE.

use crate::id::{Batch, Part};
use crate::token::CommitToken;
use std::collections::BTreeMap;

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// At every part.
    Committed,
    /// At no part.
    Aborted,
}

/// What a part answered to its writes (home) or to its PREPARE (a participant).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vote {
    /// Written, or prepared.
    Ready,
    /// The database answered with an error: nothing is prepared there.
    Refused,
    /// No answer, or a doubtful one: it may be prepared, now or later.
    Lost,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A part voted.
    Voted(Part, Vote),
    /// Home acknowledged the decision without a warning.
    DecisionAcknowledged,
    /// Home answered the decision with an error or a warning, or not at all.
    DecisionDoubtful,
    /// The resolver settled the batch.
    Resolved(Verdict),
    /// A participant acknowledged COMMIT PREPARED.
    Finished(Part),
    /// COMMIT PREPARED failed or its answer was lost.
    FinishDoubtful(Part),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send the decision row and COMMIT to home, in one message, once.
    Decide,
    /// Roll back the open transaction of this part, or close its connection.
    RollBack(Part),
    /// Run the resolver.
    Resolve,
    /// Send COMMIT PREPARED to this participant.
    CommitPrepared(Part, CommitToken),
    /// The outcome is certain: the client may be told, once finishing had its bounded time.
    Decided(Verdict),
    /// Home's row says the opposite of what was certain: home has lost an acknowledged commit, or a batch number
    /// was used twice. Nothing may be told but unknown, and a human must look.
    Contradicted(Verdict),
    /// Nothing is left to do.
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Voting { votes: BTreeMap<Part, Vote> },
    Deciding,
    Finishing { waiting: Vec<Part> },
    Resolving { decided: Option<Verdict> },
    Done,
}

/// The coordinator of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    batch: Batch,
    phase: Phase,
}

impl Coordinator {
    /// Of a batch whose writes and PREPAREs are being sent.
    pub fn new(batch: Batch) -> Self {
        Self { batch, phase: Phase::Voting { votes: BTreeMap::new() } }
    }

    /// Takes what happened, says what to do. An event that the phase does not expect changes nothing.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        match (&mut self.phase, event) {
            (Phase::Voting { votes }, Event::Voted(part, vote)) => {
                votes.insert(part, vote);
                if votes.len() == self.batch.parts().len() { self.count_votes() } else { Vec::new() }
            }
            (Phase::Deciding, Event::DecisionAcknowledged) => self.committed(),
            (Phase::Deciding, Event::DecisionDoubtful) => {
                self.phase = Phase::Resolving { decided: None };
                vec![Action::Resolve]
            }
            (Phase::Finishing { waiting }, Event::Finished(part)) => {
                waiting.retain(|other| *other != part);
                if waiting.is_empty() { self.done() } else { Vec::new() }
            }
            (Phase::Finishing { .. }, Event::FinishDoubtful(_)) => {
                self.phase = Phase::Resolving { decided: Some(Verdict::Committed) };
                vec![Action::Resolve]
            }
            (Phase::Resolving { decided }, Event::Resolved(verdict)) => {
                let told = match *decided {
                    None => Some(Action::Decided(verdict)),
                    Some(decided) if decided == verdict => None,
                    Some(_) => Some(Action::Contradicted(verdict)),
                };
                self.phase = Phase::Done;
                told.into_iter().chain([Action::Done]).collect()
            }
            (
                Phase::Voting { .. }
                | Phase::Deciding
                | Phase::Finishing { .. }
                | Phase::Resolving { .. }
                | Phase::Done,
                _,
            ) => Vec::new(),
        }
    }

    fn count_votes(&mut self) -> Vec<Action> {
        let Phase::Voting { votes } = &self.phase else { return Vec::new() };
        if votes.values().all(|vote| *vote == Vote::Ready) {
            self.phase = Phase::Deciding;
            return vec![Action::Decide];
        }
        let home = self.batch.id.home;
        let perhaps_prepared = votes.iter().any(|(part, vote)| *part != home && *vote != Vote::Refused);
        // What is prepared has no open transaction, and of what is lost the connection is gone.
        let open = votes.iter().filter(|(part, vote)| **part == home || **vote == Vote::Refused);
        let mut actions: Vec<Action> = open.map(|(part, _)| Action::RollBack(*part)).collect();
        actions.push(Action::Decided(Verdict::Aborted));
        if perhaps_prepared {
            self.phase = Phase::Resolving { decided: Some(Verdict::Aborted) };
            actions.push(Action::Resolve);
        } else {
            actions.extend(self.done());
        }
        actions
    }

    fn committed(&mut self) -> Vec<Action> {
        let token = CommitToken::decided(self.batch.id);
        let waiting: Vec<Part> = self.batch.participants.iter().collect();
        let mut actions = vec![Action::Decided(Verdict::Committed)];
        actions.extend(waiting.iter().map(|part| Action::CommitPrepared(*part, token)));
        if waiting.is_empty() {
            actions.extend(self.done());
        } else {
            self.phase = Phase::Finishing { waiting };
        }
        actions
    }

    fn done(&mut self) -> Vec<Action> {
        self.phase = Phase::Done;
        vec![Action::Done]
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

    fn batch(participants: &[&str]) -> Batch {
        let id = BatchId { home: part("AZ"), incarnation: 1, number: 7 };
        Batch { id, participants: Participants::new(id.home, participants.iter().map(|code| part(code))).unwrap() }
    }

    fn check(participants: &[&str], events: &[Event], expected: &Expect) {
        let mut coordinator = Coordinator::new(batch(participants));
        let mut text = String::new();
        for event in events {
            text += &format!("{event:?} -> {:?}\n", coordinator.on(*event));
        }
        expected.assert_eq(&text.replace("CommitToken { batch: AZ-1-7 }", "token"));
    }

    #[test]
    fn the_decision_is_sent_after_every_vote_and_finishing_after_the_decision() {
        check(
            &["TX"],
            &[
                Event::Voted(part("AZ"), Vote::Ready),
                Event::Voted(part("TX"), Vote::Ready),
                Event::DecisionAcknowledged,
                Event::Finished(part("TX")),
            ],
            &expect![[r#"
                Voted(AZ, Ready) -> []
                Voted(TX, Ready) -> [Decide]
                DecisionAcknowledged -> [Decided(Committed), CommitPrepared(TX, token)]
                Finished(TX) -> [Done]
            "#]],
        );
    }

    #[test]
    fn a_local_batch_is_decided_by_its_own_commit() {
        check(
            &[],
            &[Event::Voted(part("AZ"), Vote::Ready), Event::DecisionAcknowledged],
            &expect![[r#"
                Voted(AZ, Ready) -> [Decide]
                DecisionAcknowledged -> [Decided(Committed), Done]
            "#]],
        );
    }

    #[test]
    fn a_vote_against_aborts_and_clears_what_may_be_prepared() {
        check(
            &["NV", "TX"],
            &[
                Event::Voted(part("AZ"), Vote::Ready),
                Event::Voted(part("TX"), Vote::Ready),
                Event::Voted(part("NV"), Vote::Refused),
                Event::Resolved(Verdict::Aborted),
            ],
            &expect![[r#"
                Voted(AZ, Ready) -> []
                Voted(TX, Ready) -> []
                Voted(NV, Refused) -> [RollBack(AZ), RollBack(NV), Decided(Aborted), Resolve]
                Resolved(Aborted) -> [Done]
            "#]],
        );
        check(
            &["TX"],
            &[Event::Voted(part("AZ"), Vote::Ready), Event::Voted(part("TX"), Vote::Refused)],
            &expect![[r#"
            Voted(AZ, Ready) -> []
            Voted(TX, Refused) -> [RollBack(AZ), RollBack(TX), Decided(Aborted), Done]
        "#]],
        );
        check(
            &["TX"],
            &[Event::Voted(part("AZ"), Vote::Ready), Event::Voted(part("TX"), Vote::Lost)],
            &expect![[r#"
            Voted(AZ, Ready) -> []
            Voted(TX, Lost) -> [RollBack(AZ), Decided(Aborted), Resolve]
        "#]],
        );
        check(
            &["TX"],
            &[Event::Voted(part("TX"), Vote::Ready), Event::Voted(part("AZ"), Vote::Lost)],
            &expect![[r#"
            Voted(TX, Ready) -> []
            Voted(AZ, Lost) -> [RollBack(AZ), Decided(Aborted), Resolve]
        "#]],
        );
    }

    #[test]
    fn a_doubtful_decision_is_only_ever_resolved() {
        for verdict in [Verdict::Committed, Verdict::Aborted] {
            let mut coordinator = Coordinator::new(batch(&["TX"]));
            coordinator.on(Event::Voted(part("AZ"), Vote::Ready));
            assert_eq!(coordinator.on(Event::Voted(part("TX"), Vote::Ready)), [Action::Decide]);
            assert_eq!(coordinator.on(Event::DecisionDoubtful), [Action::Resolve]);
            assert_eq!(coordinator.on(Event::DecisionAcknowledged), [], "it is never sent or believed again");
            assert_eq!(coordinator.on(Event::Resolved(verdict)), [Action::Decided(verdict), Action::Done]);
        }
    }

    #[test]
    fn a_verdict_against_what_was_certain_is_an_alarm_and_no_answer() {
        let mut coordinator = Coordinator::new(batch(&["TX"]));
        coordinator.on(Event::Voted(part("AZ"), Vote::Ready));
        coordinator.on(Event::Voted(part("TX"), Vote::Ready));
        coordinator.on(Event::DecisionAcknowledged);
        coordinator.on(Event::FinishDoubtful(part("TX")));
        let actions = coordinator.on(Event::Resolved(Verdict::Aborted));
        assert_eq!(actions, [Action::Contradicted(Verdict::Aborted), Action::Done]);
        let mut coordinator = Coordinator::new(batch(&["TX"]));
        coordinator.on(Event::Voted(part("AZ"), Vote::Ready));
        coordinator.on(Event::Voted(part("TX"), Vote::Lost));
        let actions = coordinator.on(Event::Resolved(Verdict::Committed));
        assert_eq!(actions, [Action::Contradicted(Verdict::Committed), Action::Done]);
    }

    #[test]
    fn a_doubtful_finish_is_resolved_without_a_second_answer() {
        check(
            &["TX"],
            &[
                Event::Voted(part("AZ"), Vote::Ready),
                Event::Voted(part("TX"), Vote::Ready),
                Event::DecisionAcknowledged,
                Event::FinishDoubtful(part("TX")),
                Event::Resolved(Verdict::Committed),
            ],
            &expect![[r#"
                Voted(AZ, Ready) -> []
                Voted(TX, Ready) -> [Decide]
                DecisionAcknowledged -> [Decided(Committed), CommitPrepared(TX, token)]
                FinishDoubtful(TX) -> [Resolve]
                Resolved(Committed) -> [Done]
            "#]],
        );
    }
}
