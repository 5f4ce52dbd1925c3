//! Work on thousands of transfers at once, which keeps a thread busy for milliseconds.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// From so many transfers on, what is done with them takes longer than handing the thread's other tasks over.
const HEAVY_FROM: usize = 512;

/// Works on so many transfers; other tasks of the thread go on elsewhere meanwhile, so that a look-up does not stand
/// behind somebody's thousands.
pub fn heavy<T>(transfers: usize, work: impl FnOnce() -> T) -> T {
    let can_hand_over = || Handle::try_current().is_ok_and(|at| at.runtime_flavor() == RuntimeFlavor::MultiThread);
    if transfers >= HEAVY_FROM && can_hand_over() { block_in_place(work) } else { work() }
}
