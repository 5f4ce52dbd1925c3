//! All answers, counted for the report.

use crate::history::{Answer, Cause, Change, ChangeAnswer, History, Micros};
use std::collections::BTreeMap;

/// Of all that was answered, by what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Ids that were answered posted.
    pub posted_ids: usize,
    /// Ids that were answered refused.
    pub refused_ids: usize,
    /// All ids.
    pub ids: usize,
    /// Ids that were answered posted, by what they do.
    pub posted_by_kind: BTreeMap<&'static str, usize>,
    /// Lists of which all links were answered posted, and all refused.
    pub posted_chains: usize,
    /// See there.
    pub refused_chains: usize,
    /// Changes of accounts that were answered as made.
    pub changes: usize,
    /// Answers by their words.
    pub by_word: BTreeMap<String, usize>,
    /// Answers from which nothing is known, by cause.
    pub indeterminate: BTreeMap<Cause, usize>,
    /// The longest that an answer took, in microseconds.
    pub longest: Micros,
}

impl Answers {
    /// Counts a history.
    pub fn of(history: &History) -> Self {
        let mut answers = Self { ids: history.sent.len(), ..Self::default() };
        for sent in &history.sent {
            let any = |is: fn(&Answer) -> bool| usize::from(sent.attempts.iter().any(|attempt| is(&attempt.answer)));
            answers.posted_ids += any(is_posted);
            answers.refused_ids += any(is_refused);
            if let Some(posted) = sent.attempts.iter().find(|attempt| is_posted(&attempt.answer)) {
                let kind = sent.contents[usize::from(posted.content)].kind;
                *answers.posted_by_kind.entry(kind.name()).or_default() += 1;
            }
            for attempt in &sent.attempts {
                let word = match &attempt.answer {
                    Answer::Posted { replayed: false, .. } => "posted",
                    Answer::Posted { replayed: true, .. } => "replayed",
                    Answer::Settling { .. } => "settling",
                    Answer::Refused { replayed: false, .. } => "refused",
                    Answer::Refused { replayed: true, .. } => "refused again",
                    Answer::Conflict => "conflict",
                    Answer::Unavailable(code) => &format!("unavailable: {code}"),
                    Answer::NotConnected => "not connected",
                    Answer::Rejected(_) => "rejected",
                    Answer::Nonsense(_) => "nonsense",
                    Answer::Indeterminate(cause) => {
                        *answers.indeterminate.entry(*cause).or_default() += 1;
                        "indeterminate"
                    }
                };
                *answers.by_word.entry(word.to_owned()).or_default() += 1;
                if attempt.completed != Micros::MAX {
                    answers.longest = answers.longest.max(attempt.completed - attempt.invoked);
                }
            }
        }
        for chain in &history.chains {
            let all = |is: fn(&Answer) -> bool| usize::from(chain.links.iter().all(|link| is_told(history, *link, is)));
            answers.posted_chains += all(is_posted);
            answers.refused_chains += all(is_refused);
        }
        let is_made = |change: &&Change| change.answers.contains(&ChangeAnswer::Changed);
        answers.changes = history.changes.iter().filter(is_made).count();
        answers
    }
}

fn is_posted(answer: &Answer) -> bool {
    matches!(answer, Answer::Posted { .. })
}

fn is_refused(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused { .. })
}

fn is_told(history: &History, (sent, content): (usize, u8), is: fn(&Answer) -> bool) -> bool {
    history.sent[sent].attempts.iter().any(|attempt| attempt.content == content && is(&attempt.answer))
}
