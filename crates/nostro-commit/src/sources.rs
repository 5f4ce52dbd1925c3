//! An error in one line, with what caused it.
//!
//! An error's own text never contains its source: whoever tells it to a person, in a log or on a terminal, joins the
//! two here. What is sent to clients over HTTP has texts of its own and never comes from here.

use std::error::Error;

/// The error's text, then that of each of its sources, from the nearest on, with `: ` between them.
pub fn with_sources(error: impl Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no answer")]
    struct NoAnswer(#[source] Lost);

    #[derive(Debug, thiserror::Error)]
    #[error("the connection was lost")]
    struct Lost(#[source] Reset);

    #[derive(Debug, thiserror::Error)]
    #[error("reset by peer")]
    struct Reset;

    #[test]
    fn each_source_follows_what_it_caused() {
        assert_eq!(with_sources(NoAnswer(Lost(Reset))), "no answer: the connection was lost: reset by peer");
        assert_eq!(with_sources(Reset), "reset by peer");
    }
}
