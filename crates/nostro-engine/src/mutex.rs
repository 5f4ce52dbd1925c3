//! How the engine's mutexes are locked: also behind a task that panicked.
//!
//! What they guard is whole after each statement, so that a panic elsewhere is no reason to stop. None is held across
//! an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the mutex guards, whether or not a holder panicked.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
