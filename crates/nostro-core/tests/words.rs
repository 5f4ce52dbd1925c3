//! The words of the API and the database. They are stored and sent, so none ever changes.
#![allow(missing_docs)]

use nostro_core::transfer::Field;
use nostro_core::{AccountKind, AccountState, HoldState, NormalSide, Refusal, Side, TransferKind};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Every value has its word and is read back from it; any other text is an error that lists the words.
fn words<T: FromStr<Err: Display> + PartialEq + Debug>(all: &[T], word: impl Fn(&T) -> &'static str, expected: &str) {
    let words: Vec<&str> = all.iter().map(word).collect();
    assert_eq!(words.join(", "), expected);
    for (value, word) in all.iter().zip(words) {
        assert_eq!(word.parse::<T>().ok().as_ref(), Some(value));
    }
    for text in ["", "other", expected] {
        let error = text.parse::<T>().err().map(|error| error.to_string());
        assert_eq!(error, Some(format!("expected one of: {expected}")), "{text:?}");
    }
}

#[test]
fn words_are_stable_and_read_back() {
    words(&AccountKind::ALL, |kind| kind.as_str(), "checking, savings, cash");
    words(&AccountState::ALL, |state| state.as_str(), "open, debits_frozen, credits_frozen, frozen, closed");
    words(&HoldState::ALL, |state| state.as_str(), "open, captured, released, expired");
    let kinds = "transfer, deposit, withdrawal, hold, capture, release, expiry, reversal";
    words(&TransferKind::ALL, |kind| kind.as_str(), kinds);
    words(&Side::ALL, |side| side.as_str(), "debit, credit");
    assert_eq!([NormalSide::Debit.as_str(), NormalSide::Credit.as_str()], ["debit", "credit"]);
}

#[test]
fn what_is_shown_in_columns_keeps_its_width() {
    assert_eq!(format!("{:<9}|", AccountKind::Cash), "cash     |");
    assert_eq!(format!("{:<9}|", HoldState::Open), "open     |");
    assert_eq!(format!("{:<9}|", TransferKind::Hold), "hold     |");
}

#[test]
fn refusals_have_one_code_and_one_title_each() {
    words(&Refusal::ALL, |refusal| refusal.code(), &Refusal::ALL.map(Refusal::code).join(", "));
    for refusal in Refusal::ALL {
        assert_eq!(refusal.to_string(), refusal.code());
        let title = refusal.title();
        assert_eq!(title.to_lowercase().replace(' ', "_"), refusal.code(), "{title}");
        assert!(title.starts_with(char::is_uppercase), "{title}");
    }
}

#[test]
fn fields_have_the_names_of_the_api() {
    let names = [
        (Field::Kind, "kind"),
        (Field::DebitAccount, "debit_account"),
        (Field::CreditAccount, "credit_account"),
        (Field::Amount, "amount"),
        (Field::Currency, "currency"),
        (Field::Category, "category"),
        (Field::Reference, "reference"),
        (Field::Hold, "hold"),
        (Field::Final, "final"),
        (Field::ExpiresAt, "expires_at"),
        (Field::UpTo, "up_to"),
        (Field::Original, "original"),
        (Field::Force, "force"),
        (Field::Chain, "chain"),
    ];
    for (field, name) in names {
        assert_eq!(field.name(), name);
    }
}
