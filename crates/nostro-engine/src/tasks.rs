//! The engine's tasks: each is owned, and one that panics is not overlooked.

use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Owns tasks until they end.
#[derive(Debug)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    failed: watch::Sender<bool>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), failed: watch::Sender::new(false) }
    }

    /// A panic in it marks the engine as failed; the process is expected to stop then.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let failed = self.failed.clone();
        self.tracker.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a task of the engine died");
                failed.send_replace(true);
            }
        });
    }

    /// Returns when a task has died.
    pub(crate) async fn failure(&self) {
        let mut failed = self.failed.subscribe();
        // The sender lives as long as this does.
        let _ = failed.wait_for(|failed| *failed).await;
    }

    /// Returns when every task has ended.
    pub(crate) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
