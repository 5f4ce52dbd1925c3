//! A transfer with many legs.

use crate::view::Text;
use crate::view::transfer::{State, TransferView};
use nostro_core::TransferId;
use nostro_engine::Receipt;
use serde::Serialize;
use utoipa::ToSchema;

/// A transfer with many legs that is committed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MultiLegTransfer)]
pub(crate) struct MultiLegView {
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: Text<TransferId>,
    /// `posted` or `settling`.
    state: State,
    /// Each leg as a transfer, in the order of the request.
    legs: Vec<TransferView>,
}

impl MultiLegView {
    /// Of its legs; `settled` says whether every branch of their batch has finished.
    pub(crate) fn new(id: TransferId, legs: &[Receipt], settled: bool) -> Self {
        let state = if settled { State::Posted } else { State::Settling };
        Self { id: Text(id), state, legs: legs.iter().map(|leg| TransferView::new(leg, settled)).collect() }
    }
}
