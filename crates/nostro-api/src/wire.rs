//! The JSON of moving money, without HTTP: bytes to transfers, answers to bytes.
//!
//! What the routes call, as functions of values alone. They are the crate's front door beside the router, so that
//! what a transfer costs to read and to write can be measured (`benches/json.rs`) without an engine behind it.

use crate::answer;
use crate::body;
use crate::fields::{HasBranch, Pointer};
use crate::problem::{Problem, ProblemBody};
use crate::request_context::RequestContext;
use crate::transfer_body;
use crate::view::transfer::{BulkResult, State};
use crate::view::{Text, posted};
use crate::well_formed;
use axum::response::Response;
use nostro_core::{Transfer, TransferId, TransferKind};
use nostro_engine::Answer;

/// What a posted result of any kind takes with a short reference: most bodies never grow, which would take twice their size
/// meanwhile. What is not written to costs nothing.
const RESULT_BYTES: usize = 1_000;
/// What stands around the results.
const FRAME_BYTES: usize = 16;

/// What is kept of a transfer until it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its id.
    pub id: TransferId,
    /// What it is.
    pub kind: TransferKind,
}

impl From<&Transfer> for Named {
    fn from(transfer: &Transfer) -> Self {
        Self { id: transfer.id, kind: transfer.kind() }
    }
}

/// The transfer in the body of a single request.
pub fn read_transfer(body: &[u8], has_branch: HasBranch<'_>) -> Result<Transfer, Problem> {
    match well_formed::transfer(body, has_branch) {
        Some(transfer) => Ok(transfer),
        None => transfer_body::transfer(body::parse(body)?, has_branch),
    }
}

/// The transfers in the body of a bulk, in its order, if it is well formed and has nothing but plain transfers, each for
/// itself. Other bodies are read by [`crate::bulk_body`].
pub fn read_plain_transfers(body: &[u8], has_branch: HasBranch<'_>) -> Option<Vec<Transfer>> {
    well_formed::transfers(body, has_branch)
}

/// The answer to a single request.
pub fn write_answer(transfer: &Transfer, answer: Answer) -> Response {
    answer::single(transfer, answer)
}

/// The body of a bulk's answer: what became of each transfer, in the order of the request.
pub fn write_answers(named: &[Named], answers: Vec<Answer>, context: &RequestContext) -> Vec<u8> {
    let mut results = Results::new(named.len(), context);
    for (named, answer) in named.iter().zip(answers) {
        results.push(*named, answer);
    }
    results.finish()
}

/// The body of a bulk's answer, as it grows.
pub(crate) struct Results<'c> {
    body: Vec<u8>,
    count: usize,
    posted: posted::Writer,
    context: &'c RequestContext,
}

impl<'c> Results<'c> {
    /// For about so many.
    pub(crate) fn new(count: usize, context: &'c RequestContext) -> Self {
        let mut body = Vec::with_capacity(count * RESULT_BYTES + FRAME_BYTES);
        body.extend_from_slice(br#"{"results":["#);
        Self { body, count: 0, posted: posted::Writer::default(), context }
    }

    /// What became of a transfer.
    pub(crate) fn push(&mut self, named: Named, answer: Answer) {
        self.begin();
        let posted = answer::posted(&answer)
            .is_some_and(|(receipt, outcome)| self.posted.write(&mut self.body, receipt, outcome));
        if !posted {
            let place = Pointer::Item { list: "transfers", at: self.count - 1 };
            let result = answer::item(place, named, answer, |problem| self.complete(problem));
            self.write(&result);
        }
    }

    /// What became of an item by a problem.
    pub(crate) fn push_problem(&mut self, id: TransferId, state: State, replayed: bool, problem: &Problem) {
        self.begin();
        let problem = Some(self.complete(problem));
        self.write(&BulkResult { id: Text(id), state, replayed, transfer: None, problem });
    }

    fn begin(&mut self) {
        if self.count > 0 {
            self.body.push(b',');
        }
        self.count += 1;
    }

    fn complete(&self, problem: &Problem) -> ProblemBody {
        problem.body(&self.context.path, &self.context.request_id)
    }

    fn write(&mut self, result: &BulkResult) {
        serde_json::to_writer(&mut self.body, result).expect("a Vec takes every byte, and every name is text");
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.body.extend_from_slice(b"]}");
        self.body
    }
}
