//! What was answered against what is recorded, id by id.

use super::{BRANCHES, Check, Judgement, Violation, World, code, same_content, touched};
use crate::books::Row;
use crate::history::{Answer, Attempt, Content, Sent};

pub(super) fn check(world: &World<'_>, judgement: &mut Judgement) {
    for (at, sent) in world.history.sent.iter().enumerate() {
        let one = One { world, at, sent, rows: world.rows_of(sent.id) };
        let mut told = |check, text| {
            let batch = one.rows.first().map(|(_, row)| row.batch.to_string());
            judgement.violations.push(Violation { check, text, transfer: Some(sent.id), batch });
        };
        for attempt in &sent.attempts {
            one.answer_stands(attempt, &mut told);
        }
        one.money_moved_at_most_once(&mut told);
        one.is_settled(&mut told);
        one.count(&mut judgement.settlement);
    }
    for (id, rows) in &world.rows {
        let (branch, row) = rows[0];
        // Holds expire by themselves.
        if !world.by_id.contains_key(id) && &*row.kind != "expiry" {
            judgement.violations.push(Violation {
                check: Check::Acknowledged,
                text: format!("a row at {} that nobody asked for", code(branch)),
                transfer: Some(*id),
                batch: Some(row.batch.to_string()),
            });
        }
    }
}

/// An id, what was sent under it and what is recorded under it.
struct One<'a> {
    world: &'a World<'a>,
    /// Its place in the history.
    at: usize,
    sent: &'a Sent,
    rows: &'a [(i64, &'a Row)],
}

impl One<'_> {
    fn content(&self, attempt: &Attempt) -> &Content {
        &self.sent.contents[usize::from(attempt.content)]
    }

    fn touched(content: &Content) -> Vec<i64> {
        touched(content.kind.moves_money(), content.debit, content.credit)
    }

    /// Whether exactly the branches that the content touches have it as posted, alike, by one batch.
    fn is_posted_as(&self, content: &Content, told: Option<(&str, i64)>) -> bool {
        let branches: Vec<i64> = self.rows.iter().map(|(branch, _)| *branch).collect();
        branches == Self::touched(content)
            && self.rows.iter().all(|(_, row)| {
                row.refusal.is_none()
                    && same_content(row, content)
                    && (&row.batch, row.amount) == (&self.rows[0].1.batch, self.rows[0].1.amount)
                    && told.is_none_or(|told| told == (&*row.batch, row.amount))
            })
    }

    /// Whether the first branch, and no other, has it as refused.
    fn is_refused_as(&self, content: &Content, refusal: &str) -> bool {
        let [(branch, row)] = self.rows else { return false };
        *branch == Self::touched(content)[0] && row.refusal.as_deref() == Some(refusal) && same_content(row, content)
    }

    fn answer_stands(&self, attempt: &Attempt, told: &mut impl FnMut(Check, String)) {
        let content = self.content(attempt);
        match &attempt.answer {
            Answer::Posted { batch, replayed, amount } => {
                if !self.is_posted_as(content, Some((&**batch, *amount))) {
                    let found = self.found();
                    told(Check::Acknowledged, format!("answered posted in {batch}, {amount}, found {found}"));
                }
                if content.doomed.is_some() {
                    told(Check::Acknowledged, format!("posted, expected the refusal {:?}", content.doomed));
                }
                if *replayed && !self.others_before(attempt).any(|other| other.answer.may_have_moved()) {
                    told(Check::Settled, "replayed, and no earlier attempt can have moved it".into());
                }
            }
            Answer::Settling { batch, amount } => {
                if !self.is_posted_as(content, Some((&**batch, *amount))) {
                    let found = self.found();
                    told(Check::Acknowledged, format!("answered settling in {batch}, {amount}, found {found}"));
                }
            }
            Answer::Refused { code, .. } => {
                if !self.is_refused_as(content, code) {
                    told(Check::Acknowledged, format!("answered refused {code}, found {}", self.found()));
                }
                if content.doomed.is_some_and(|doomed| doomed != &**code && !comes_before(code, doomed)) {
                    told(Check::Acknowledged, format!("refused {code}, expected {:?}", content.doomed));
                }
            }
            Answer::Conflict => {
                if !self.conflicts(attempt) {
                    told(Check::Acknowledged, format!("answered conflict, found {}", self.found()));
                }
            }
            Answer::Rejected(code) => {
                told(Check::Acknowledged, format!("a well-formed request was rejected: {code}"));
            }
            Answer::Nonsense(what) => {
                told(Check::Acknowledged, format!("the answer is not one to the request: {what}"))
            }
            Answer::Unavailable(_) | Answer::NotConnected | Answer::Indeterminate(_) => {}
        }
    }

    /// Whether what is recorded is not what was sent: under this id, or under that of another link of the same chain.
    fn conflicts(&self, attempt: &Attempt) -> bool {
        let differs = |id, content: &Content| {
            let rows = self.world.rows_of(id);
            !rows.is_empty() && rows.iter().all(|(_, row)| !same_content(row, content))
        };
        let Some(chain) = self.world.chain_of.get(&(self.at, attempt.content)) else {
            return differs(self.sent.id, self.content(attempt));
        };
        let history = self.world.history;
        history.chains[*chain].links.iter().any(|(sent, content)| {
            let sent = &history.sent[*sent];
            differs(sent.id, &sent.contents[usize::from(*content)])
        })
    }

    /// Attempts that began before this one was answered.
    fn others_before<'a>(&'a self, attempt: &'a Attempt) -> impl Iterator<Item = &'a Attempt> {
        self.sent.attempts.iter().filter(|other| !std::ptr::eq(*other, attempt) && other.invoked < attempt.completed)
    }

    fn money_moved_at_most_once(&self, told: &mut impl FnMut(Check, String)) {
        let moved = |attempt: &&Attempt| matches!(attempt.answer, Answer::Posted { replayed: false, .. });
        let moves = self.sent.attempts.iter().filter(moved).count();
        if moves > 1 {
            told(Check::Settled, format!("{moves} attempts say that they moved the money"));
        }
        if self.rows.iter().any(|(_, row)| row.refusal.is_some())
            && self.rows.iter().any(|(_, row)| row.refusal.is_none())
        {
            told(Check::Settled, format!("both posted and refused: {}", self.found()));
        }
        let Some((_, row)) = self.rows.iter().find(|(_, row)| row.refusal.is_none()) else { return };
        // Also where nobody was ever answered: half a transfer is none.
        let mut asked = self.sent.attempts.iter().filter(|attempt| attempt.answer.may_have_moved());
        if !asked.any(|attempt| self.is_posted_as(self.content(attempt), None)) {
            let text = format!("posted in {}, by no attempt that may have: {}", row.batch, self.found());
            told(Check::Settled, text);
        }
    }

    /// Every attempt without an answer is followed, in the end, by one with an answer that settles the id.
    fn is_settled(&self, told: &mut impl FnMut(Check, String)) {
        for open in self.sent.attempts.iter().filter(|attempt| attempt.answer.may_have_moved()) {
            let mut same = self.sent.attempts.iter().filter(|attempt| attempt.content == open.content);
            if !same.any(|attempt| attempt.answer.is_final()) {
                told(Check::Settled, format!("never settled: the last answer is {:?}", self.sent.attempts.last()));
                return;
            }
        }
    }

    fn count(&self, settlement: &mut super::Settlement) {
        let attempts = &self.sent.attempts;
        if !attempts.iter().any(|attempt| matches!(attempt.answer, Answer::Indeterminate(_))) {
            return;
        }
        settlement.ids += 1;
        if attempts.iter().any(|attempt| matches!(attempt.answer, Answer::Posted { replayed: false, .. })) {
            settlement.moved_later += 1;
        } else if attempts.iter().any(|attempt| matches!(attempt.answer, Answer::Posted { .. })) {
            settlement.moved += 1;
        } else if attempts.iter().any(|attempt| matches!(attempt.answer, Answer::Refused { .. })) {
            settlement.refused += 1;
        } else if attempts.iter().any(|attempt| matches!(attempt.answer, Answer::Conflict)) {
            settlement.conflicts += 1;
        }
    }

    fn found(&self) -> String {
        let mut found = String::new();
        for (name, branch) in BRANCHES {
            let at: Vec<String> = self
                .rows
                .iter()
                .filter(|(at, _)| *at == branch)
                .map(|(_, row)| {
                    let refusal = row.refusal.as_deref().unwrap_or("posted");
                    format!("{refusal} {} {}->{} in {}", row.amount, row.debit, row.credit, row.batch)
                })
                .collect();
            found += &format!("{name} [{}] ", at.join(", "));
        }
        found
    }
}

/// Whether what can never be posted may be refused with another code than its own: another link of its chain broke it, or
/// an account is frozen, which is looked at before money.
fn comes_before(code: &str, doomed: &str) -> bool {
    code == "chain_broken" || (code.ends_with("_account_frozen") && doomed == "insufficient_funds")
}
