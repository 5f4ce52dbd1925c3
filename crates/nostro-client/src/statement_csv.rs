//! A statement as CSV, as it comes in.
//!
//! The server breaks the answer off where it cannot write the statement to its end. What was received by then is a
//! part, and must not be taken for the whole: it is whole only when [`StatementCsv::chunk`] has given `None`.

use crate::client::lost;
use crate::outcome::ClientError;
use reqwest::Response;
use std::time::Duration;

/// A statement of millions of entries takes minutes; whoever is slower than this does not get it whole.
pub(crate) const CSV_WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// A statement that is being received.
#[derive(Debug)]
pub struct StatementCsv {
    response: Response,
}

impl StatementCsv {
    pub(crate) fn new(response: Response) -> Self {
        Self { response }
    }

    /// The next bytes; `None` at the end of a whole statement.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(self.response.chunk().await.map_err(lost)?.map(|bytes| bytes.to_vec()))
    }
}
