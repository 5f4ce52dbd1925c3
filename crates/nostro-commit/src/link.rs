//! A connection that remembers warnings.
//!
//! PostgreSQL answers a commit whose wait for a synchronous standby was cancelled with success and a WARNING of
//! SQLSTATE 01000. tokio-postgres hands notices to whoever polls the connection, before the reply; so the task
//! that polls counts them before it polls on, and whoever gets the reply sees the count. Dropping a link closes
//! its socket at once: a connection in any doubt is dropped, never used again.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::AbortHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};

/// A connection of our own, with the count of its warnings.
#[derive(Debug)]
pub struct Link {
    client: Arc<Client>,
    warnings: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Link {
    /// Connects. The address, credentials and time limit are the configuration's.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let warnings = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&warnings);
        // Owned by the link: aborted when it is dropped, and over by itself when the server closes.
        let task = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) if *notice.code() == SqlState::WARNING => {
                        counted.fetch_add(1, Ordering::Release);
                        tracing::warn!(message = notice.message(), "the database warned");
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a connection ended");
                        break;
                    }
                }
            }
        });
        Ok(Self { client: Arc::new(client), warnings, task: task.abort_handle() })
    }

    /// For statements; clones of it do not outlive the link's socket.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Warnings of SQLSTATE 01000 so far.
    pub fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    /// Whether the socket is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
