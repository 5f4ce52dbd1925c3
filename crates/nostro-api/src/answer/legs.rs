//! The outcome of a transfer with many legs: one, as its legs are posted or refused together.

use crate::answer::{at, changed, location, made, pointer, refused};
use crate::bulk::refusal;
use crate::multi_leg_body::Shared;
use crate::problem::Problem;
use crate::view::multi_leg::MultiLegView;
use crate::view::transfer::UnknownTransfer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nostro_core::transfer::Field;
use nostro_core::{Chain, Refusal, TransferKind};
use nostro_engine::{Answer, Receipt};

/// The answer, from those of the legs.
pub(crate) fn told(chain: &Chain, shared: Shared, answers: Vec<Answer>) -> Response {
    let links = chain.links();
    let (Some(first), Some(home)) = (links.first(), chain.branches().home()) else {
        return Problem::internal().into_response();
    };
    // Where its batch is decided it is seen first: a leg that is recorded there.
    let seen = links.iter().find(|link| link.touches(home)).unwrap_or(first);
    for (place, (link, answer)) in links.iter().zip(&answers).enumerate() {
        match refusal(answer) {
            Some((Refusal::ChainBroken, _)) | None => {}
            Some((refusal, replayed)) => {
                let problem = refused(link, refusal).naming(format!("/legs/{place}"), refusal.to_string());
                return if replayed { problem.replayed().into_response() } else { problem.into_response() };
            }
        }
    }
    if let Some(problem) = conflict(&answers, shared) {
        return problem.into_response();
    }
    let mut receipts: Vec<Receipt> = Vec::with_capacity(answers.len());
    let (mut is_replayed, mut is_settling) = (false, false);
    for answer in answers {
        match answer {
            Answer::Posted(receipt) => receipts.push(receipt),
            Answer::Replayed(receipt) => {
                is_replayed = true;
                receipts.push(receipt);
            }
            Answer::Settling(receipt) => {
                is_settling = true;
                receipts.push(receipt);
            }
            Answer::Unavailable(reason) => return Problem::unavailable(reason).into_response(),
            Answer::Unusable(why) => return Problem::unusable_id("/id".to_owned(), why).into_response(),
            Answer::Unknown => {
                let body = UnknownTransfer::new(first.id);
                return at(StatusCode::ACCEPTED, &location(seen.id, home), body);
            }
            Answer::Refused(_) | Answer::Conflict(_) | Answer::Moot | Answer::Bug => {
                return Problem::internal().into_response();
            }
        }
    }
    let location = location(seen.id, home);
    if is_settling {
        return at(StatusCode::ACCEPTED, &location, MultiLegView::new(first.id, &receipts, false));
    }
    let view = MultiLegView::new(first.id, &receipts, true);
    if is_replayed { changed(true, view) } else { made(false, Some(&location), view) }
}

/// The first leg that differs by itself, or that the list does.
fn conflict(answers: &[Answer], shared: Shared) -> Option<Problem> {
    let fields = answers.iter().enumerate().filter_map(|(place, answer)| match answer {
        Answer::Conflict(field) => Some((place, *field)),
        Answer::Posted(_)
        | Answer::Refused(_)
        | Answer::Replayed(_)
        | Answer::Settling(_)
        | Answer::Unknown
        | Answer::Unusable(_)
        | Answer::Moot
        | Answer::Unavailable(_)
        | Answer::Bug => None,
    });
    // That a leg's own content differs says more than that the list does.
    let (place, field) = fields.min_by_key(|(place, field)| (*field == Field::Chain, *place))?;
    let is_shared = match shared {
        Shared::Debit(_) => field == Field::DebitAccount,
        Shared::Credit(_) => field == Field::CreditAccount,
    };
    let name = pointer(TransferKind::Transfer, field);
    Some(Problem::id_conflict(match field {
        Field::Chain | Field::Kind => "/legs".to_owned(),
        Field::Currency => name,
        _ if is_shared => name,
        _ => format!("/legs/{place}{name}"),
    }))
}
