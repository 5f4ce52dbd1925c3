//! The JSON of moving money, without HTTP: bytes to transfers, answers to bytes.
//!
//! What the routes call, as functions of values alone. They are the crate's front door beside the router, so that
//! what a transfer costs to read and to write can be measured (`benches/json.rs`) without an engine behind it.

use crate::answer;
use crate::body;
use crate::fields::{HasBranch, Place};
use crate::problem::Problem;
use crate::request_context::RequestContext;
use crate::transfer_body;
use crate::view::posted;
use crate::well_formed;
use axum::response::Response;
use nostro_core::Transfer;
use nostro_engine::Answer;

/// What a posted result takes with a short reference: most bodies never grow.
const RESULT_BYTES: usize = 600;
/// What stands around the results.
const FRAME_BYTES: usize = 16;

/// The transfer in the body of a single request.
pub fn read_transfer(body: &[u8], has_branch: HasBranch<'_>) -> Result<Transfer, Problem> {
    match well_formed::transfer(body, has_branch) {
        Some(transfer) => Ok(transfer),
        None => transfer_body::transfer(body::parse(body)?, has_branch),
    }
}

/// The transfers in the body of a bulk, in its order; one malformed item refuses them all.
pub fn read_transfers(body: &[u8], has_branch: HasBranch<'_>) -> Result<Vec<Transfer>, Problem> {
    match well_formed::transfers(body, has_branch) {
        Some(transfers) => Ok(transfers),
        None => transfer_body::transfers(body::parse(body)?, has_branch),
    }
}

/// The answer to a single request.
pub fn write_answer(transfer: &Transfer, answer: Answer) -> Response {
    answer::single(transfer, answer)
}

/// The body of a bulk's answer: what became of each transfer, in the order of the request.
pub fn write_answers(transfers: &[Transfer], answers: Vec<Answer>, context: &RequestContext) -> Vec<u8> {
    write_results("transfers", transfers, answers, context)
}

/// The same where the request's `list` has another name. Each result is written as it is made, so that they are never
/// all there beside their JSON.
pub(crate) fn write_results(
    list: &'static str,
    transfers: &[Transfer],
    answers: Vec<Answer>,
    context: &RequestContext,
) -> Vec<u8> {
    let complete = |problem: &Problem| problem.body(&context.path, &context.request_id);
    let mut body = Vec::with_capacity(transfers.len() * RESULT_BYTES + FRAME_BYTES);
    let mut writer = posted::Writer::default();
    body.extend_from_slice(br#"{"results":["#);
    for (at, (transfer, answer)) in transfers.iter().zip(answers).enumerate() {
        if at > 0 {
            body.push(b',');
        }
        let posted =
            answer::posted(&answer).is_some_and(|(receipt, outcome)| writer.write(&mut body, receipt, outcome));
        if !posted {
            let result = answer::item(Place::Item { list, at }, transfer, answer, complete);
            serde_json::to_writer(&mut body, &result).expect("a Vec takes every byte, and every name is text");
        }
    }
    body.extend_from_slice(b"]}");
    body
}
