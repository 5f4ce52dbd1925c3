//! Decimal digits at fixed places, as account numbers have them.
//!
//! An account number is read or written some ten times for each transfer, so this is done without `format!` and
//! without an allocation. Places, not figures: a figure with more digits than places loses its first ones.

/// Writes the last digits of a figure into all of `places`, with leading zeros.
pub(crate) fn write(figure: u64, places: &mut [u8]) {
    let digit = |figure: u64| b'0' | u8::try_from(figure).unwrap_or(0);
    let mut rest = figure;
    // By twos, because each division waits for the one before it.
    for places in places.rchunks_mut(2) {
        let two = rest % 100;
        rest /= 100;
        match places {
            [tens, units] => (*tens, *units) = (digit(two / 10), digit(two % 10)),
            [units] => *units = digit(two % 10),
            _ => {}
        }
    }
}

/// The figure of up to 19 bytes that are digits; `None` if one is not, or there are more.
pub(crate) fn read(digits: &[u8]) -> Option<u64> {
    if digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |figure, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| figure.wrapping_mul(10).wrapping_add(u64::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_written_with_leading_zeros_and_read_back() {
        let mut places = [0; 6];
        write(1_042, &mut places);
        assert_eq!((&places, read(&places)), (b"001042", Some(1_042)));
        write(7_001_042, &mut places);
        assert_eq!(&places, b"001042");
        write(1_942, &mut places[..3]);
        assert_eq!(&places, b"942042");
    }

    #[test]
    fn only_digits_that_fit_are_read() {
        for (text, expected) in [
            ("", Some(0)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("10000000000000000000", None),
            ("1/", None),
            ("1:", None),
            ("-1", None),
            ("１", None),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text:?}");
        }
    }
}
