//! `nostro audit --full`: begins a full audit, waits for it, and tells what it found.
//!
//! How far it is goes to standard error, what it found to standard output. Asking is repeated while the server cannot answer, as
//! the audit goes on meanwhile.

use super::exit::{EXIT_NOT_ASKED, EXIT_NOT_BALANCED};
use super::table::print_json;
use nostro_client::{Client, ClientError, FullAudit};
use nostro_commit::with_sources;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

/// Between two looks at a running audit.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// After so long without any answer it is not waited for any more.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Begins an audit and waits for its end.
pub(crate) async fn run(client: &Client, from_scratch: bool, json: bool) -> anyhow::Result<ExitCode> {
    let id = Uuid::now_v7();
    let audit = match ended(client, id, from_scratch).await {
        Ok(audit) => audit,
        Err(error) => {
            eprintln!("nostro: the audit {id} could not be made or asked for: {}", with_sources(error));
            return Ok(ExitCode::from(EXIT_NOT_ASKED));
        }
    };
    if json {
        print_json(&audit)?;
    } else {
        for line in told(&audit) {
            println!("{line}");
        }
    }
    Ok(match audit.state.as_str() {
        "balanced" => ExitCode::SUCCESS,
        "unbalanced" => ExitCode::from(EXIT_NOT_BALANCED),
        // Failed or abandoned, or a word of a newer server: nothing is known.
        _ => ExitCode::from(EXIT_NOT_ASKED),
    })
}

/// The audit once it is not running.
async fn ended(client: &Client, id: Uuid, from_scratch: bool) -> Result<FullAudit, ClientError> {
    let mut audit = begun(client, id, from_scratch).await?;
    eprintln!("audit {id} began at {}", audit.started_at);
    let (mut shown, mut heard) = (String::new(), Instant::now());
    while audit.is_running() {
        if audit.progress != shown {
            shown.clone_from(&audit.progress);
            eprintln!("{shown}");
        }
        sleep(LOOK_PAUSE).await;
        match client.full_audit(id).await {
            Ok(found) => (audit, heard) = (found, Instant::now()),
            Err(error @ ClientError::Rejected(_)) => return Err(error),
            Err(error) if heard.elapsed() >= SILENCE_MAX => return Err(error),
            Err(_) => {}
        }
    }
    Ok(audit)
}

/// An answer that was lost is asked for again: the same id is the same audit.
async fn begun(client: &Client, id: Uuid, from_scratch: bool) -> Result<FullAudit, ClientError> {
    let begin = Instant::now();
    loop {
        match client.start_audit(id, from_scratch).await {
            Err(ClientError::Unknown { .. }) if begin.elapsed() < SILENCE_MAX => sleep(LOOK_PAUSE).await,
            answer => return answer,
        }
    }
}

/// What it came to, line by line.
fn told(audit: &FullAudit) -> Vec<String> {
    let looked = audit.branches.iter().map(|looked| {
        let (accounts, entries, batches) = (looked.accounts, looked.entries, looked.batches);
        let (read, known) = (looked.periods_read, looked.periods_known);
        format!(
            "{}: {accounts} accounts, {entries} entries, {batches} batches; {read} partitions read, {known} known from before",
            looked.branch
        )
    });
    let notes = audit.notes.iter().map(|note| format!("note: {note}"));
    let findings = audit.findings.iter().map(|finding| {
        let (rule, table, key) = (&finding.rule, &finding.table, &finding.key);
        let of = if finding.breaches > 1 { format!(" ({} of this kind)", finding.breaches) } else { String::new() };
        format!("{} {rule}: {table} {key}: expected {}, found {}{of}", finding.branch, finding.expected, finding.found)
    });
    let ending = match audit.state.as_str() {
        "balanced" => "balanced".to_owned(),
        "unbalanced" => "NOT BALANCED".to_owned(),
        state => format!("{state}: {}; nothing is known", audit.reason.as_deref().unwrap_or("no reason was given")),
    };
    let in_flight = format!("{} batches in flight were left out", audit.batches_in_flight);
    looked.chain(notes).chain(findings).chain([in_flight, ending]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_client::{AuditFinding, AuditedBranch};

    fn audit(state: &str, findings: Vec<AuditFinding>) -> FullAudit {
        FullAudit {
            id: Uuid::nil(),
            state: state.to_owned(),
            from_scratch: false,
            started_at: String::new(),
            finished_at: None,
            progress: String::new(),
            reason: Some("its server was stopped".to_owned()),
            batches_in_flight: 0,
            notes: vec!["AZ: 202311 was not audited".to_owned()],
            branches: vec![AuditedBranch {
                branch: "AZ".to_owned(),
                periods_read: 2,
                periods_known: 1,
                accounts: 3,
                entries: 40,
                batches: 5,
            }],
            findings,
        }
    }

    #[test]
    fn what_was_looked_at_comes_first_and_the_verdict_last() {
        let finding = AuditFinding {
            branch: "AZ".to_owned(),
            rule: "account_balance".to_owned(),
            table: "account".to_owned(),
            key: "AZ93000000001042".to_owned(),
            expected: "balance 1".to_owned(),
            found: "balance 2".to_owned(),
            breaches: 7,
        };
        assert_eq!(
            told(&audit("unbalanced", vec![finding])),
            [
                "AZ: 3 accounts, 40 entries, 5 batches; 2 partitions read, 1 known from before",
                "note: AZ: 202311 was not audited",
                "AZ account_balance: account AZ93000000001042: expected balance 1, found balance 2 (7 of this kind)",
                "0 batches in flight were left out",
                "NOT BALANCED",
            ]
        );
        let last = |state: &str| told(&audit(state, Vec::new())).pop();
        assert_eq!(last("balanced").as_deref(), Some("balanced"));
        assert_eq!(last("abandoned").as_deref(), Some("abandoned: its server was stopped; nothing is known"));
    }
}
