//! What the binary decides about the API: who may call it, from where, and how often.
//!
//! No file and no environment is read here: the binary does that.

use crate::key::ApiKey;

/// The settings of [`crate::router()`].
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Who may call. Without a key every call under `/v1` is 401.
    pub keys: Vec<ApiKey>,
    /// Origins of the console's pages, such as `http://127.0.0.1:3000`; a browser's call from any other is 403.
    pub console_origins: Vec<String>,
    /// How many requests a second each key may make before it is answered 429; 0 lifts the limit.
    pub requests_per_second_max: u32,
}
