//! Words: the texts by which an enum is sent and stored. Each enum has one place for them, its `as_str` or `code`; they
//! are read back from there, and what is no word is answered with all of them.

/// A text that is not one of a list of words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: {expected}")]
pub struct WordError {
    /// The words, in order.
    expected: String,
}

/// The one of the values whose word the text is.
pub fn read<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str, text: &str) -> Result<T, WordError> {
    let found = all.iter().copied().find(|value| word(*value) == text);
    found.ok_or_else(|| WordError { expected: all.iter().copied().map(word).collect::<Vec<_>>().join(", ") })
}
