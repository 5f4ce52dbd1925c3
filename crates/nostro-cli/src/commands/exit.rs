//! The codes that commands end with: the table of `docs/reference/cli.md`.
//!
//! 0 is done, and 1 any failure that has no code of its own. A number may mean different things to different commands, but
//! never of one command: above all, what is known to have moved nothing is kept apart from what is not known.

/// `audit`, `report trial-balance`: money was made or lost, or two branches disagree.
pub(crate) const EXIT_NOT_BALANCED: u8 = 1;
/// The arguments do not fit together, or the files of an import are not as they must be.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The bank said no: final.
pub(crate) const EXIT_REFUSED: u8 = 3;
/// It is not known whether money moved or an account was changed.
pub(crate) const EXIT_UNKNOWN: u8 = 4;
/// Nothing moved, nothing was changed.
pub(crate) const EXIT_NOTHING_MOVED: u8 = 5;
/// Of what only looks: not everything could be asked. Of a batch to be resolved: nothing was done.
pub(crate) const EXIT_NOT_ASKED: u8 = 5;
/// `in-doubt resolve`: the outcome is certain, and a branch has yet to reach it.
pub(crate) const EXIT_NOT_FINISHED: u8 = 6;
/// `in-doubt resolve`: home did not answer; the batch is in doubt as before.
pub(crate) const EXIT_STILL_IN_DOUBT: u8 = 7;
/// `in-doubt resolve`: branches contradict each other, which nothing repairs but a human.
pub(crate) const EXIT_ALARM: u8 = 8;
