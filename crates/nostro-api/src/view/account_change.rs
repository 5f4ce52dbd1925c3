//! Changes of an account's limits and state.

use crate::view::Text;
use nostro_core::{Balance, ChangeRecord, Reference, Terms, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A change that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountChange)]
pub(crate) struct AccountChangeView {
    id: Uuid,
    before: TermsView,
    after: TermsView,
    #[schema(value_type = Option<String>)]
    reason: Option<Text<Reference>>,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    changed_at: Text<Timestamp>,
}

/// Limits and state of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Terms)]
pub(crate) struct TermsView {
    /// Minor units.
    #[schema(value_type = String, example = "50000")]
    overdraft_limit: Text<Balance>,
    /// Minor units; null if there is none.
    #[schema(value_type = Option<String>, example = "1000000")]
    ceiling: Option<Text<Balance>>,
    /// `open`, `debits_frozen`, `credits_frozen`, `frozen` or `closed`.
    #[schema(example = "open")]
    state: &'static str,
}

impl From<Terms> for TermsView {
    fn from(terms: Terms) -> Self {
        Self {
            overdraft_limit: Text(terms.overdraft_limit),
            ceiling: terms.ceiling.map(Text),
            state: terms.state.as_str(),
        }
    }
}

impl From<&ChangeRecord> for AccountChangeView {
    fn from(record: &ChangeRecord) -> Self {
        Self {
            id: record.id,
            before: record.before.into(),
            after: record.after.into(),
            reason: record.reason.clone().map(Text),
            changed_at: Text(record.changed_at),
        }
    }
}
