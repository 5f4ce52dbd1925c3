//! What a full audit checks in one branch: every row is judged in the core, as it comes.

use super::Progress;
use super::examine::Session;
use nostro_core::finding::{Finding, Findings, Rule};
use nostro_core::segments::{Tiling, account_name};
use nostro_core::sources_audit::{OriginalFound, judge_hold, judge_reversal};
use nostro_store::audit_periods::{self, AuditedPeriods, Kept};
use nostro_store::audit_rows::{self, ReversalAudit};
use nostro_store::audit_transfers::{self, ChainBreach};
use nostro_store::rows::RowError;

/// What was found, and how much was looked at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) findings: Findings,
    pub(super) accounts: u64,
    pub(super) entries: u64,
}

pub(super) async fn look(session: &Session, periods: &AuditedPeriods, progress: &Progress) -> Result<Looked, RowError> {
    let mut looked = Looked::default();
    let at = |what| progress.at(session.branch.code, what);
    at("entries");
    histories(session, periods, &mut looked).await?;
    at("accounts");
    accounts(session, &mut looked.findings).await?;
    at("customers and changes");
    dangling(session, &mut looked.findings).await?;
    at("partitions");
    partitions(session, periods, &mut looked.findings).await?;
    at("lines");
    lines(session, periods, &mut looked.findings).await?;
    at("kinds and currencies");
    kinds(session, periods, &mut looked.findings).await?;
    at("chains");
    chains(session, periods, &mut looked.findings).await?;
    at("holds");
    holds(session, periods, &mut looked.findings).await?;
    at("reversals");
    reversals(session, periods, &mut looked.findings).await?;
    if !periods.compared.is_empty() {
        at("closed months");
        closed_months(session, periods, &mut looked.findings).await?;
    }
    at("through");
    Ok(looked)
}

/// Every account's entries, and its figures by them.
async fn histories(session: &Session, periods: &AuditedPeriods, looked: &mut Looked) -> Result<(), RowError> {
    let mut tiling = Tiling::new(session.branch.code, session.branch.number, periods.archived.periods.clone());
    let mut rows = audit_rows::accounts(session.client(), periods).await?;
    while let Some(row) = rows.next().await? {
        tiling.lay(row.key, row.figures, row.segment, &mut looked.findings);
    }
    tiling.end(&mut looked.findings);
    (looked.accounts, looked.entries) = (tiling.accounts(), tiling.entries());
    Ok(())
}

/// What accounts have held, and their limits.
async fn accounts(session: &Session, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_rows::account_breaches(session.client()).await?;
    while let Some(row) = rows.next().await? {
        let key = account_name(session.branch.code, session.branch.number, row.key);
        let mut wrong = |rule, expected: String, found: String| {
            let (branch, key) = (Some(session.branch.code), key.clone());
            findings.push(Finding { branch, rule, table: "account", key, expected, found });
        };
        if i128::from(row.held) != row.reserved {
            wrong(Rule::AccountHeld, format!("held {}", row.reserved), format!("held {}", row.held));
        }
        let words = |outside: bool| if outside { "outside its limits" } else { "within its limits" };
        if row.is_outside != row.is_marked {
            wrong(
                Rule::AccountLimit,
                format!("marked {}", words(row.is_outside)),
                format!("marked {}", words(row.is_marked)),
            );
        }
        if !row.has_its_terms {
            let (expected, found) = ("what its changes left, one after the other", "other limits or another state");
            wrong(Rule::AccountTerms, expected.into(), found.into());
        }
    }
    Ok(())
}

/// Customers of accounts, and accounts of changes, that are not there.
async fn dangling(session: &Session, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_rows::dangling(session.client()).await?;
    while let Some(row) = rows.next().await? {
        let (table, expected, found) = match row.customer {
            Some(customer) => ("account", "a customer who is there", format!("customer {customer}")),
            None => ("account_change", "an account that is there", "changes of none".to_owned()),
        };
        let key = account_name(session.branch.code, session.branch.number, row.account);
        let (branch, rule, expected) = (Some(session.branch.code), Rule::AccountCustomer, expected.to_owned());
        findings.push(Finding { branch, rule, table, key, expected, found });
    }
    Ok(())
}

/// Where transfers stand: looked up elsewhere, they would be posted again.
async fn partitions(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_transfers::period_breaches(session.client(), periods).await?;
    while let Some((id, found)) = rows.next().await? {
        let (branch, rule, key) = (Some(session.branch.code), Rule::TransferPeriod, id.to_string());
        let (expected, found) = (format!("in partition {}", id.period()), format!("in partition {found}"));
        findings.push(Finding { branch, rule, table: "transfer", key, expected, found });
    }
    Ok(())
}

/// What transfers are, and in what, beside their accounts.
async fn kinds(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_transfers::accounts_breaches(session.client(), periods).await?;
    while let Some(row) = rows.next().await? {
        let mut wrong = |rule, expected: String, found: String| {
            let (branch, key) = (Some(session.branch.code), row.id.to_string());
            findings.push(Finding { branch, rule, table: "transfer", key, expected, found });
        };
        if let Some(other) = &row.other_currency {
            wrong(Rule::TransferCurrency, format!("{other}, as its account"), row.currency.clone());
        }
        if !row.is_its_kind {
            let expected = "a deposit out of the branch's cash to its customer, or a withdrawal the other way";
            wrong(Rule::TransferKind, expected.into(), format!("a {} between others", row.kind));
        }
    }
    Ok(())
}

/// Chains, of which all links are posted or none, each in a place of its own.
async fn chains(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_transfers::chain_breaches(session.client(), periods).await?;
    while let Some(row) = rows.next().await? {
        findings.push(Finding {
            branch: Some(session.branch.code),
            rule: Rule::ChainLinks,
            table: "transfer",
            key: row.chain.to_string(),
            expected: "all links posted or none, each in a place of its own below the one length".into(),
            found: format!("{} posted, {} refused, {}", row.posted, row.refused, places(&row)),
        });
    }
    Ok(())
}

/// Where the links of a chain are in it.
fn places(chain: &ChainBreach) -> String {
    let ([first, last], [least, greatest]) = (chain.ends, chain.lengths);
    format!("{} places from {first} to {last}, lengths from {least} to {greatest}", chain.places)
}

/// The lines that each transfer has on accounts of the branch.
async fn lines(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_transfers::lines_breaches(session.client(), session.branch, periods).await?;
    while let Some(row) = rows.next().await? {
        let words = |lines: [bool; 2]| match lines {
            [true, true] => "lines on both accounts",
            [true, false] => "a line on the debit account",
            [false, true] => "a line on the credit account",
            [false, false] => "no lines",
        };
        findings.push(Finding {
            branch: Some(session.branch.code),
            rule: Rule::TransferLines,
            table: "transfer",
            key: row.id.to_string(),
            expected: words(row.expected).into(),
            found: words(row.found).into(),
        });
    }
    Ok(())
}

/// Holds, but for those of which a part may be in the archive.
async fn holds(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_rows::holds(session.client(), session.branch, periods).await?;
    while let Some(audited) = rows.next().await? {
        let is_judged = match &audited.row {
            Some(hold) => !periods.archived.may_have(hold.placing.placed_at),
            // Its row would be here whatever is in the archive.
            None => true,
        };
        if is_judged {
            judge_hold(session.branch.code, audited.id, audited.row.as_ref(), &audited.deeds, findings);
        }
    }
    Ok(())
}

/// Reversed transfers, but for those of which a reversal may be in the archive.
async fn reversals(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    let mut rows = audit_rows::reversals(session.client(), periods).await?;
    while let Some(audited) = rows.next().await? {
        if let Some(found) = judged(&audited, periods) {
            let ReversalAudit { original, row, deeds, .. } = audited;
            judge_reversal(session.branch.code, original, row, &deeds, &found, findings);
        }
    }
    Ok(())
}

/// What the original is, if it can be judged what was reversed of it.
fn judged(audited: &ReversalAudit, periods: &AuditedPeriods) -> Option<OriginalFound> {
    match &audited.moved {
        Some(moved) if periods.archived.may_have(moved.posted_at) => None,
        Some(moved) => Some(OriginalFound::Moved { amount: moved.amount, back: moved.back.clone() }),
        // Taken out after it was audited, with all that was known by then; or never audited, so that reversals may be there too.
        None if periods.archived.periods.contains(&audited.original.period()) => None,
        None if periods.taken_out.contains(&audited.original.period().as_i32()) => Some(OriginalFound::Archived),
        None => Some(OriginalFound::Nothing),
    }
}

/// What was kept of closed months, against their rows.
async fn closed_months(session: &Session, periods: &AuditedPeriods, findings: &mut Findings) -> Result<(), RowError> {
    for period in &periods.compared {
        for kept in Kept::ALL {
            let mut rows = audit_periods::kept_differences(session.client(), session.branch, *period, kept).await?;
            while let Some(row) = rows.next().await? {
                let (expected, found) = if row.is_kept {
                    (row.words, "nothing of the kind".to_owned())
                } else {
                    ("nothing of the kind".to_owned(), row.words)
                };
                let (branch, rule, key) = (Some(session.branch.code), Rule::ClosedMonth, period.to_string());
                findings.push(Finding { branch, rule, table: kept.table(), key, expected, found });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::batch_sides::Archived;
    use nostro_core::sources_audit::ReversalDeeds;
    use nostro_core::{Period, Timestamp, TransferId};
    use nostro_store::audit_rows::Moved;
    use std::collections::BTreeSet;

    #[test]
    fn a_reversed_transfer_is_judged_by_what_is_known_of_its_month() {
        // Of November 2024.
        let original = TransferId("0193556a-6e00-7000-8000-000000000000".parse().unwrap());
        let time = Timestamp::from_micros;
        let with = |taken_out: &[i32], archived: &[i32], moved: Option<(i64, i64)>| {
            let back = || "2 to 1 USD".to_owned();
            let moved = moved.map(|(amount, at)| Moved { amount, posted_at: time(at), back: back() });
            let audited = ReversalAudit { original, row: None, deeds: ReversalDeeds::default(), moved };
            let archived = Archived {
                periods: archived.iter().map(|period| Period::from_i32(*period)).collect::<BTreeSet<_>>(),
                until: archived.first().map(|_| time(100)),
            };
            let taken_out: BTreeSet<i32> = taken_out.iter().copied().collect();
            // Whether a month is known says nothing of whether its rows are there.
            let known = vec![202_411];
            judged(&audited, &AuditedPeriods { known, taken_out, archived, ..AuditedPeriods::default() })
        };
        let five = Some(OriginalFound::Moved { amount: 5, back: "2 to 1 USD".to_owned() });
        assert_eq!(with(&[], &[], Some((5, 1))), five);
        assert_eq!(with(&[], &[202_410], Some((5, 99))), None);
        assert_eq!(with(&[], &[202_410], Some((5, 100))), five);
        assert_eq!(with(&[], &[202_411], None), None);
        assert_eq!(with(&[202_411], &[], None), Some(OriginalFound::Archived));
        assert_eq!(with(&[], &[], None), Some(OriginalFound::Nothing));
    }
}
