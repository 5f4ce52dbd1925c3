//! Holds as they stand.

use crate::view::Text;
use nostro_core::{AccountNumber, Amount, Balance, Currency, Hold, Timestamp, TransferId};
use serde::Serialize;
use utoipa::ToSchema;

/// A hold as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub(crate) struct HoldView {
    /// The id of the transfer that placed it.
    #[schema(value_type = String, example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")]
    id: Text<TransferId>,
    /// `open`, `captured`, `released` or `expired`. Open past `expires_at` is as good as expired: it is about to be booked.
    #[schema(example = "open")]
    state: &'static str,
    /// Where the money is reserved.
    #[schema(value_type = String, example = "AZ93000000001042")]
    debit_account: Text<AccountNumber>,
    /// In whose favour.
    #[schema(value_type = String, example = "TX25000000001042")]
    credit_account: Text<AccountNumber>,
    /// What was reserved at first, in minor units.
    #[schema(value_type = String, example = "100000")]
    amount: Text<Amount>,
    #[schema(value_type = String, example = "USD")]
    currency: Text<Currency>,
    /// So much was captured.
    #[schema(value_type = String, example = "40000")]
    captured: Text<Balance>,
    /// So much was given back: by release, by expiry, or as the rest of a final capture.
    #[schema(value_type = String, example = "0")]
    released: Text<Balance>,
    /// So much is still reserved.
    #[schema(value_type = String, example = "60000")]
    remaining: Text<Balance>,
    /// From when on it is expired; never if null.
    #[schema(value_type = Option<String>, example = "2026-11-30T00:00:00.000000Z")]
    expires_at: Option<Text<Timestamp>>,
    #[schema(value_type = String, example = "2026-11-23T08:00:00.000000Z")]
    placed_at: Text<Timestamp>,
    /// When the last of it was captured or given back.
    #[schema(value_type = Option<String>, example = json!(null))]
    ended_at: Option<Text<Timestamp>>,
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        Self {
            id: Text(hold.id),
            state: hold.state.as_str(),
            debit_account: Text(hold.debit),
            credit_account: Text(hold.credit),
            amount: Text(hold.amount),
            currency: Text(hold.currency),
            captured: Text(hold.captured),
            released: Text(hold.released),
            remaining: Text(hold.remaining().unwrap_or_default()),
            expires_at: hold.expires_at.map(Text),
            placed_at: Text(hold.placed_at),
            ended_at: hold.ended_at.map(Text),
        }
    }
}
