//! One line of text that people write: a name, a reference, a reason, the ref of an import.
//!
//! All of them keep the same rule, and it is told without a noun, as whoever tells it names the field.

/// A line is at most this many characters, as long as ISO 20022 has the longest name of a party, and unstructured
/// remittance information.
pub const LINE_CHARS_MAX: usize = 140;

/// Why a text is not one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one line of 1 to 140 characters, without a space at its ends and without control characters")]
pub struct LineError;

/// The text, if it is one line that people can read: 1 to [`LINE_CHARS_MAX`] characters, no space at its ends, no
/// control character.
pub fn one_line(text: &str) -> Result<Box<str>, LineError> {
    let is_trimmed = !text.is_empty() && text.trim() == text;
    let is_short = text.chars().count() <= LINE_CHARS_MAX;
    if is_trimmed && is_short && !text.chars().any(char::is_control) { Ok(text.into()) } else { Err(LineError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_short_and_without_control_characters() {
        for good in ["Ada Lovelace", "李", "O'Brien & Sons", &"é".repeat(140)] {
            assert_eq!(one_line(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", " Ada", "Ada ", "Ada\nLovelace", "\u{0}", &"x".repeat(141)] {
            assert_eq!(one_line(bad), Err(LineError), "{bad:?}");
        }
    }
}
