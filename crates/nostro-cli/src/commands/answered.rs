//! How commands end that change or make something at one branch and move no money.
//!
//! While it is unknown whether it was done, or the branch is unavailable, the same id is sent again, as by commands that move
//! money; and the exit codes are theirs.

use super::exit::{EXIT_NOTHING_MOVED, EXIT_REFUSED, EXIT_UNKNOWN};
use super::outcome::{Asked, print_fields};
use super::table::print_json;
use nostro_client::ClientError;
use nostro_commit::with_sources;
use serde::Serialize;
use serde_json::json;
use std::process::ExitCode;

/// Prints what is there now, or why it is not.
pub(super) fn tell<T: Serialize>(
    asked: &Asked,
    answer: Result<T, ClientError>,
    print: impl FnOnce(&T),
) -> anyhow::Result<ExitCode> {
    match answer {
        Ok(value) if asked.json => print_json(&value).map(|()| ExitCode::SUCCESS),
        Ok(value) => {
            print(&value);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => failed(asked, &error, ended(asked, &error)),
    }
}

/// The same where a look-up before the request failed: nothing was sent by this attempt.
pub(super) fn tell_not_sent(asked: &Asked, error: &ClientError) -> anyhow::Result<ExitCode> {
    failed(asked, error, not_sent(asked, error))
}

fn failed(asked: &Asked, error: &ClientError, (state, exit): (&str, u8)) -> anyhow::Result<ExitCode> {
    if asked.json {
        let problem = match error {
            ClientError::Rejected(problem) | ClientError::Unavailable { problem, .. } => Some(problem),
            ClientError::Connect { .. } | ClientError::Unknown { .. } => None,
        };
        let (id, again) = (asked.id, &asked.again);
        let detail = with_sources(error);
        print_json(&json!({"id": id, "state": state, "detail": detail, "problem": problem, "again": again}))?;
        return Ok(ExitCode::from(exit));
    }
    let what = match exit {
        EXIT_UNKNOWN => "it may or may not have been done",
        _ => "nothing was done",
    };
    eprintln!("{state}: {}; {what}", with_sources(error));
    if let ClientError::Rejected(problem) = error {
        print_fields(problem);
    }
    eprintln!("  id        {}", asked.id);
    if exit != EXIT_REFUSED {
        eprintln!("  to ask again for the same: {}", asked.again);
    }
    Ok(ExitCode::from(exit))
}

/// A word for how it ended, and the exit code. That this attempt changed nothing says nothing of an earlier one.
fn ended(asked: &Asked, error: &ClientError) -> (&'static str, u8) {
    match error {
        ClientError::Rejected(problem) if [409, 422].contains(&problem.status) => ("refused", EXIT_REFUSED),
        ClientError::Unknown { .. } => ("unknown", EXIT_UNKNOWN),
        ClientError::Rejected(_) | ClientError::Unavailable { .. } | ClientError::Connect { .. } if asked.is_again => {
            ("unknown", EXIT_UNKNOWN)
        }
        ClientError::Rejected(_) => ("rejected", EXIT_NOTHING_MOVED),
        ClientError::Unavailable { .. } => ("unavailable", EXIT_NOTHING_MOVED),
        ClientError::Connect { .. } => ("unreachable", EXIT_NOTHING_MOVED),
    }
}

fn not_sent(asked: &Asked, error: &ClientError) -> (&'static str, u8) {
    if asked.is_again {
        return ("unknown", EXIT_UNKNOWN);
    }
    match error {
        ClientError::Rejected(_) => ("rejected", EXIT_NOTHING_MOVED),
        ClientError::Unavailable { .. } | ClientError::Unknown { .. } => ("unavailable", EXIT_NOTHING_MOVED),
        ClientError::Connect { .. } => ("unreachable", EXIT_NOTHING_MOVED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_client::UnknownCause;
    use uuid::Uuid;

    #[test]
    fn what_may_have_been_done_is_never_told_as_not_done() {
        let asked = |is_again| Asked { id: Uuid::from_u128(7), is_again, again: String::new(), json: false };
        let problem = |status: u16| {
            let problem = json!({"type": "", "title": "", "status": status, "code": "c", "detail": "", "instance": "",
                "retry": "never", "request_id": "", "errors": []});
            Box::new(serde_json::from_value(problem).unwrap())
        };
        let retry_after = std::time::Duration::from_secs(1);
        for (error, first, again) in [
            (ClientError::Rejected(problem(409)), EXIT_REFUSED, EXIT_REFUSED),
            (ClientError::Rejected(problem(422)), EXIT_REFUSED, EXIT_REFUSED),
            (ClientError::Rejected(problem(404)), EXIT_NOTHING_MOVED, EXIT_UNKNOWN),
            (ClientError::Unavailable { problem: problem(503), retry_after }, EXIT_NOTHING_MOVED, EXIT_UNKNOWN),
            (ClientError::Unknown { source: UnknownCause::EarlierAttempt }, EXIT_UNKNOWN, EXIT_UNKNOWN),
        ] {
            assert_eq!((ended(&asked(false), &error).1, ended(&asked(true), &error).1), (first, again), "{error}");
        }
        // An answer to the look-up that was lost is none to the change, which was not sent.
        let lost = ClientError::Unknown { source: UnknownCause::Told };
        assert_eq!(not_sent(&asked(false), &lost), ("unavailable", EXIT_NOTHING_MOVED));
        assert_eq!(not_sent(&asked(true), &lost), ("unknown", EXIT_UNKNOWN));
    }
}
