//! Batch numbers, drawn from each home's own row in blocks, as the engine draws them: no number is used twice.

use crate::database::Session;
use crate::error::BenchError;
use tokio::sync::Mutex;

/// One draw for a thousand batches.
const BLOCK: i64 = 1_000;

/// The numbers of every home.
#[derive(Debug)]
pub(crate) struct Numbers {
    homes: Vec<Mutex<Block>>,
}

#[derive(Debug, Default)]
struct Block {
    incarnation: i32,
    next: i64,
    end: i64,
}

impl Numbers {
    pub(crate) fn new(branches: usize) -> Self {
        Self { homes: (0..branches).map(|_| Mutex::default()).collect() }
    }

    /// The next batch id of a home, drawn over a session of it that has no open transaction.
    pub(crate) async fn next(&self, home: usize, code: &str, session: &Session) -> Result<String, BenchError> {
        let mut block = self.homes[home].lock().await;
        if block.next == block.end {
            let row = session
                .client
                .query_one("update batch_number set next = next + $1 returning next, incarnation", &[&BLOCK])
                .await
                .map_err(BenchError::database("batch numbers"))?;
            let end: i64 = row.get(0);
            *block = Block { incarnation: row.get(1), next: end - BLOCK, end };
        }
        let number = block.next;
        block.next += 1;
        Ok(format!("{code}-{}-{number}", block.incarnation))
    }
}
