//! Account numbers against two independent checks: the crate `iban_validate` for two-letter codes, and
//! schoolbook division of the whole decimal number for longer ones.
#![allow(clippy::unwrap_used, missing_docs)]

use nostro_core::account_number::{AccountNumberError, CUSTOMER_SERIAL_MIN};
use nostro_core::{AccountKey, AccountNumber, BranchCode, BranchNumber, Currency, CustomerNumber};
use proptest::prelude::*;

/// Remainder by 97 of the rearranged number, by long division over its decimal digits.
fn long_division(text: &str, letters: usize) -> u32 {
    let rearranged = format!("{}{}", &text[letters + 2..], &text[..letters + 2]);
    let decimal: String = rearranged.chars().map(|character| character.to_digit(36).unwrap().to_string()).collect();
    let mut chunk = String::new();
    for digit in decimal.chars() {
        chunk.push(digit);
        chunk = (chunk.parse::<u32>().unwrap() % 97).to_string();
    }
    chunk.parse().unwrap()
}

fn number(code: &str, serial: u64) -> String {
    AccountNumber::new(code.parse().unwrap(), serial).unwrap().to_string()
}

#[test]
fn the_numbers_of_the_documentation() {
    assert_eq!(number("AZ", 1042), "AZ93000000001042");
    assert_eq!(number("TX", 1042), "TX25000000001042");
    let parsed: AccountNumber = "TX25000000001042".parse().unwrap();
    assert_eq!(parsed.grouped(), "TX25 0000 0000 1042");
    let key = parsed.key(BranchNumber::new(2).unwrap());
    assert_eq!(key.as_i64(), 2_000_000_001_042);
    assert_eq!(AccountNumber::from_key("TX".parse().unwrap(), key), Ok(parsed));
    assert_eq!((key.branch_number(), key.serial()), (BranchNumber::new(2).ok(), 1042));
    assert_eq!(AccountKey::from_i64(-1).branch_number(), None);
}

#[test]
fn cash_is_the_account_with_the_number_of_its_currency() {
    let currency = |code: &str| code.parse::<Currency>().unwrap();
    let cash = AccountNumber::cash("AZ".parse().unwrap(), currency("USD"));
    assert_eq!(cash.to_string(), number("AZ", 840));
    assert!(cash.is_cash(currency("USD")));
    assert!(!cash.is_cash(currency("EUR")));
    let customers: AccountNumber = number("AZ", 1042).parse().unwrap();
    assert!(!customers.is_cash(currency("USD")));
}

#[test]
fn numbers_are_debugged_as_they_are_read() {
    let account: AccountNumber = "AZ93000000001042".parse().unwrap();
    let customer = CustomerNumber::new("AZ".parse().unwrap(), CUSTOMER_SERIAL_MIN).unwrap();
    assert_eq!(format!("{account:?} {customer:?}"), format!("{account} {customer}"));
}

#[test]
fn what_is_not_a_number_is_told_apart() {
    for (text, error) in [
        ("", AccountNumberError::Form),
        ("AZ", AccountNumberError::Form),
        ("AZ93 0000 0000 1042", AccountNumberError::Form),
        ("az93000000001042", AccountNumberError::Form),
        ("A93000000001042", AccountNumberError::Form),
        ("TEXAS93000000001042", AccountNumberError::Form),
        ("AZ9300000000104", AccountNumberError::Form),
        ("AZ930000000010422", AccountNumberError::Form),
        ("AZ93００００00001042", AccountNumberError::Form),
        ("AZ92000000001042", AccountNumberError::CheckDigits),
        ("AZ93000000001043", AccountNumberError::CheckDigits),
        ("AZ93000000000142", AccountNumberError::CheckDigits),
    ] {
        assert_eq!(text.parse::<AccountNumber>(), Err(error), "{text:?}");
    }
    let customer = CustomerNumber::new("AZ".parse().unwrap(), CUSTOMER_SERIAL_MIN).unwrap();
    assert_eq!(customer.to_string().parse::<AccountNumber>(), Err(AccountNumberError::Serial));
    assert_eq!(number("AZ", 1042).parse::<CustomerNumber>(), Err(AccountNumberError::Serial));
    assert_eq!(AccountNumber::new("AZ".parse().unwrap(), 0), Err(AccountNumberError::Serial));
}

#[test]
fn check_digits_that_leave_the_same_remainder_are_refused() {
    // 97 apart: for check digits 97 and 98 the aliases are 00 and 01, for 02 it is 99.
    let mut aliases = 0;
    for serial in 1..2_000 {
        let text = number("AZ", serial);
        let check: i32 = text[2..4].parse().unwrap();
        for alias in [check - 97, check + 97] {
            if (0..100).contains(&alias) {
                let forged = format!("AZ{alias:02}{}", &text[4..]);
                assert_eq!(forged.parse::<AccountNumber>(), Err(AccountNumberError::CheckDigits), "{forged}");
                aliases += 1;
            }
        }
    }
    assert!(aliases > 10, "only {aliases} aliases were met");
}

proptest! {
    #[test]
    fn two_letter_codes_agree_with_iban_validate(code in "[A-Z]{2}", serial in 1..CUSTOMER_SERIAL_MIN) {
        let text = number(&code, serial);
        prop_assert!(text.parse::<iban::BaseIban>().is_ok(), "{text}");
        prop_assert_eq!(text.parse::<AccountNumber>().unwrap().to_string(), text);
    }

    #[test]
    fn every_code_agrees_with_long_division(code in "[A-Z]{2,4}", serial in 1..CUSTOMER_SERIAL_MIN) {
        let text = number(&code, serial);
        prop_assert_eq!(long_division(&text, code.len()), 1);
        let check: u32 = text[code.len()..code.len() + 2].parse().unwrap();
        prop_assert!((2..=98).contains(&check));
    }

    #[test]
    fn arbitrary_digits_are_judged_as_iban_validate_does(code in "[A-Z]{2}", check in "[0-9]{2}", serial in "[0-8][0-9]{11}") {
        let text = format!("{code}{check}{serial}");
        // By the remainder alone 00, 01 and 99 would do for 97, 98 and 02.
        let is_one_of_ours = (2..=98).contains(&check.parse::<u32>().unwrap()) && serial.parse::<u64>().unwrap() > 0;
        let theirs = text.parse::<iban::BaseIban>().is_ok() && is_one_of_ours;
        prop_assert_eq!(text.parse::<AccountNumber>().is_ok(), theirs, "{}", text);
    }

    #[test]
    fn one_wrong_character_is_always_caught(code in "[A-Z]{2,4}", serial in 1..CUSTOMER_SERIAL_MIN, at in 0_usize..18, offset in 1_u8..35) {
        let text = number(&code, serial);
        let at = at % text.len();
        let mut wrong = text.clone().into_bytes();
        wrong[at] = match wrong[at] {
            letter @ b'A'..=b'Z' => b'A' + (letter - b'A' + 1 + (offset - 1) % 25) % 26,
            digit => b'0' + (digit - b'0' + 1 + (offset - 1) % 9) % 10,
        };
        let wrong = String::from_utf8(wrong).unwrap();
        prop_assert_ne!(&wrong, &text);
        prop_assert!(wrong.parse::<AccountNumber>().is_err(), "{text} {wrong}");
    }

    #[test]
    fn one_swapped_neighbouring_pair_is_always_caught(code in "[A-Z]{2,4}", serial in 1..CUSTOMER_SERIAL_MIN) {
        let text = number(&code, serial);
        for at in 0..text.len() - 1 {
            let mut swapped = text.clone().into_bytes();
            swapped.swap(at, at + 1);
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert!(swapped == text || swapped.parse::<AccountNumber>().is_err(), "{text} {swapped}");
        }
    }

    #[test]
    fn the_key_holds_branch_and_serial(code in "[A-Z]{2,4}", branch in 1_u32..=9_000_000, serial in 1..CUSTOMER_SERIAL_MIN) {
        let code: BranchCode = code.parse().unwrap();
        let number = AccountNumber::new(code, serial).unwrap();
        let key = number.key(BranchNumber::new(branch).unwrap());
        prop_assert_eq!(key.as_i64(), i64::from(branch) * 1_000_000_000_000 + i64::try_from(serial).unwrap());
        prop_assert_eq!(AccountNumber::from_key(code, AccountKey::from_i64(key.as_i64())), Ok(number));
    }
}
