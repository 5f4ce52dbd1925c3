//! What the routes that move money share: from what was asked for to the answer.

use crate::answer;
use crate::ask::Ask;
use crate::facts::Facts;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::router::Api;
use axum::response::Response;
use nostro_core::{BranchCode, Transfer};
use std::collections::HashMap;

/// Moves what is asked for, once the branches have told what it names.
pub(super) async fn asked(api: &Api, ask: Ask) -> Result<Response, Problem> {
    let asks = [ask];
    let facts = Facts::of(&api.engine, &asks).await;
    let [ask] = &asks;
    let transfer = facts.resolve(ask, &HashMap::new())?;
    Ok(moved(api, transfer).await)
}

/// Moves what is known whole.
pub(super) async fn moved(api: &Api, transfer: Transfer) -> Response {
    let answer = api.engine.transfer(transfer.clone()).await;
    answer::single(&transfer, answer)
}

/// The branch of the query, if it is named.
pub(super) fn known_branch(api: &Api, parameters: Parameters) -> Result<Option<BranchCode>, Problem> {
    match parameters.branch()? {
        Some(code) if !api.engine.has_branch(code) => Err(Problem::unknown_branch(code)),
        branch => Ok(branch),
    }
}
