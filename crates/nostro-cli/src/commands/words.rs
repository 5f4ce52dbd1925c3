//! Options that take one of a few words: those of the API, so that what is printed can be typed.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// A parser that takes the words of these values and lists them in the help.
pub(crate) fn one_of<T>(values: &'static [T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let words = values.iter().map(move |value| word(*value));
    PossibleValuesParser::new(words).try_map(move |text: String| {
        let named = values.iter().copied().find(|value| word(*value) == text);
        named.ok_or("not one of the words")
    })
}
