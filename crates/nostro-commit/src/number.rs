//! Batch numbers, drawn in blocks from home's row `batch_number`.
//!
//! A number must never be used twice: the resolver of the older batch would find the newer decision. A sequence
//! can hand a number out twice after a crash, because its advance is not flushed by itself; a row update that
//! is committed (and flushed) before any of its numbers is used cannot. What is left of a block when a server
//! stops is never used.

use crate::id::{BatchId, Part};
use crate::link::Link;
use crate::message::Message;
use tokio::sync::Mutex;
use tokio_postgres::Error;

/// How many numbers are drawn at once: one flush in a thousand batches.
const BLOCK: i64 = 1_000;

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// Home did not answer, or with an error.
    #[error("home did not hand out batch numbers")]
    Database(#[from] Error),
    /// Home answered with a warning: the draw may not be on its synchronous standby, and would be drawn again there.
    #[error("home warned about the draw of batch numbers, they are not used")]
    NotDurable,
}

/// The numbers of one home, shared by all its batches.
#[derive(Debug, Default)]
pub struct Numbers {
    block: Mutex<Option<Block>>,
}

#[derive(Debug)]
struct Block {
    incarnation: i32,
    next: i64,
    end: i64,
}

impl Numbers {
    /// The next batch id of `home`. `link` is a connection to it without an open transaction; it is used when
    /// the block is spent. After an error nothing was used, and the connection is not to be used again.
    pub async fn next(&self, home: Part, link: &Link) -> Result<BatchId, DrawError> {
        let mut block = self.block.lock().await;
        let current = match block.take().filter(|block| block.next < block.end) {
            Some(current) => current,
            None => draw(link).await?,
        };
        let number = current.next;
        let id = BatchId {
            home,
            incarnation: u32::try_from(current.incarnation).expect("batch_number_incarnation keeps it positive"),
            number: u64::try_from(number).expect("batch_number_next keeps it positive"),
        };
        *block = Some(Block { next: number + 1, ..current });
        Ok(id)
    }
}

async fn draw(link: &Link) -> Result<Block, DrawError> {
    let warnings = link.warnings();
    // One statement in its own transaction; the session has synchronous_commit on.
    let row = link
        .client()
        .query_one(
            &format!("{} update batch_number set next = next + $1 returning next, incarnation", Message::DrawNumbers),
            &[&BLOCK],
        )
        .await?;
    if link.warnings() != warnings {
        return Err(DrawError::NotDurable);
    }
    let end: i64 = row.get("next");
    Ok(Block { incarnation: row.get("incarnation"), next: end - BLOCK, end })
}
