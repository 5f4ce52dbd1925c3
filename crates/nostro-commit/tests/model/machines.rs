//! The real `Coordinator` and `Resolver`, tabulated.
//!
//! A state of the model must be small and cheap to copy, and a machine with its batch is neither. So every state
//! that a real machine can reach by any sequence of events, sensible or not, is computed before the search by
//! calling the machine itself, and a state of the model holds its index. Nothing of a machine is written again
//! here: what changes in `src` changes these tables.

use nostro_commit::coordinator::{Action, Coordinator, Event, Vote};
use nostro_commit::resolver::{Command, Reply, Resolver, Step};
use nostro_commit::{Batch, Part, Verdict};
use std::collections::HashMap;

const VERDICTS: [Verdict; 2] = [Verdict::Committed, Verdict::Aborted];

/// Index of a state of a machine.
pub type State = u8;

/// Every reachable state of the two machines of one batch, and what each event does to it.
pub struct Machines {
    pub batch: Batch,
    coordinator: HashMap<(State, Event), (State, Vec<Action>)>,
    resolver: HashMap<(State, Reply), (State, Vec<Step>)>,
}

impl Machines {
    /// Of a batch. `rows`: every list of parts that home's row could carry.
    pub fn of(batch: Batch, rows: &[Vec<Part>]) -> Self {
        let coordinator = tabulate(Coordinator::new(batch.clone()), &events(&batch), |machine, event| {
            let mut next = machine.clone();
            let actions = next.on(*event);
            (next, actions)
        });
        let (first, step) = Resolver::new(batch.clone());
        assert_eq!(step, Step::Send(Command::Settle), "every resolver begins at home");
        let resolver = tabulate(first, &replies(&batch, rows), |machine, reply| {
            let mut next = machine.clone();
            let steps = next.on(reply.clone());
            (next, steps)
        });
        Self { batch, coordinator, resolver }
    }

    pub fn coordinator(&self, state: State, event: Event) -> &(State, Vec<Action>) {
        &self.coordinator[&(state, event)]
    }

    pub fn resolver(&self, state: State, reply: Reply) -> &(State, Vec<Step>) {
        &self.resolver[&(state, reply)]
    }
}

/// State 0 is the first one.
fn tabulate<M, E, A>(first: M, events: &[E], on: impl Fn(&M, &E) -> (M, A)) -> HashMap<(State, E), (State, A)>
where
    M: Clone + PartialEq,
    E: Clone + Eq + std::hash::Hash,
{
    let mut states = vec![first];
    let mut table = HashMap::new();
    let mut at = 0;
    while at < states.len() {
        for event in events {
            let (next, answer) = on(&states[at], event);
            let index = states.iter().position(|state| *state == next).unwrap_or_else(|| {
                states.push(next);
                states.len() - 1
            });
            let index = State::try_from(index).expect("a machine of a batch of three parts has fewer than 256 states");
            table.insert((State::try_from(at).unwrap(), event.clone()), (index, answer));
        }
        at += 1;
    }
    table
}

fn events(batch: &Batch) -> Vec<Event> {
    let mut events = vec![Event::DecisionAcknowledged, Event::DecisionDoubtful];
    events.extend(VERDICTS.map(Event::Resolved));
    for part in batch.parts() {
        events.extend([Vote::Ready, Vote::Refused, Vote::Lost].map(|vote| Event::Voted(part, vote)));
    }
    for part in batch.participants.iter() {
        events.extend([Event::Finished(part), Event::FinishDoubtful(part)]);
    }
    events
}

fn replies(batch: &Batch, rows: &[Vec<Part>]) -> Vec<Reply> {
    let mut replies = vec![Reply::OlderIncarnation];
    for outcome in VERDICTS {
        replies.extend(rows.iter().map(|parts| Reply::Settled { outcome, parts: parts.clone() }));
    }
    for part in batch.parts() {
        replies.extend([Reply::Busy(part), Reply::Unreachable(part)]);
    }
    for part in batch.participants.iter() {
        replies.extend([Reply::Finished(part), Reply::Missing(part)]);
        replies.extend([None, Some(Verdict::Committed), Some(Verdict::Aborted)].map(|row| Reply::Marker(part, row)));
    }
    replies
}
