//! Changes of an account's limits and state, as they were asked for and answered.

use uuid::Uuid;

/// What is to be different. What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewTerms {
    /// How far below zero the account may go.
    pub limit: Option<i64>,
    /// What its balance may not go above; no bound if the inner one is absent.
    pub ceiling: Option<Option<i64>>,
    /// `open`, `debits_frozen`, `credits_frozen` or `frozen`.
    pub state: Option<&'static str>,
}

/// What was answered to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// It is changed, by this request or an earlier one.
    Changed,
    /// Nobody listened: nothing was changed.
    NotConnected,
    /// It was refused, which none of these changes may be.
    Rejected(Box<str>),
    /// Nobody knows. A 503 is among them: of a change it may be the answer that was lost.
    Open,
}

/// A change, and every answer to it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of the request.
    pub id: Uuid,
    /// Key of the account.
    pub account: i64,
    /// What is asked for.
    pub terms: NewTerms,
    /// In the order in which they came.
    pub answers: Vec<ChangeAnswer>,
}
