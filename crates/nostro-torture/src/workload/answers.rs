//! All answers, counted for the report.

use crate::history::{Answer, Cause, History, Micros};
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
            answers.posted_ids += any(|answer| matches!(answer, Answer::Posted { .. }));
            answers.refused_ids += any(|answer| matches!(answer, Answer::Refused { .. }));
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
        answers
    }
}
