//! Account numbers: they route themselves to their branch and catch slips of the pen.
//!
//! Text form: branch code, two check digits, twelve digits, e.g. `AZ93000000001042`. The check digits are
//! ISO 7064 mod 97-10, the arithmetic of the IBAN (ISO 13616): the twelve digits, then the letters as numbers
//! (A = 10 ... Z = 35), then the check digits, read as one number, leave 1 when divided by 97. The check digits
//! run from 02 to 98. One wrong character and one swapped neighbouring pair are always caught.
//!
//! Database form ([`AccountKey`]): `branch number x 10^12 + serial` in a bigint, so that people in psql see both.
//! A customer's number has the same form from serials of its own, so that it is never also an account's.

use crate::branch::{BranchCode, BranchNumber};
use crate::currency::Currency;
use crate::digits;
use std::fmt;
use std::str::FromStr;

/// Serials are 1 to this, twelve digits.
pub const SERIAL_MAX: u64 = 999_999_999_999;
/// Serials from here on are customers'; those before it are accounts'.
pub const CUSTOMER_SERIAL_MIN: u64 = 900_000_000_000;
/// In the database a number is its branch's number times this, plus its serial.
pub const KEY_BASE: i64 = 1_000_000_000_000;
const LETTERS_MAX: usize = 4;
const CHECK_PLACES: usize = 2;
const SERIAL_PLACES: usize = 12;
/// No number has a longer text.
pub const TEXT_BYTES_MAX: usize = LETTERS_MAX + CHECK_PLACES + SERIAL_PLACES;

/// The number of an account as people and the API write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber {
    branch: BranchCode,
    serial: u64,
}

/// The number of a customer: the same form, with a serial of [`CUSTOMER_SERIAL_MIN`] or above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerNumber(AccountNumber);

/// The number in the database: `branch number x 10^12 + serial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(i64);

/// Why a text or a key is not an account number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountNumberError {
    /// Not code, check digits and twelve digits.
    #[error("an account number is a branch code, two check digits and twelve digits, such as AZ93000000001042")]
    Form,
    /// The check digits do not belong to the rest.
    #[error("the check digits do not match: a digit is wrong or two are swapped")]
    CheckDigits,
    /// The serial is zero or belongs to the other kind of number.
    #[error("the serial is not one of this kind of number")]
    Serial,
}

impl AccountNumber {
    /// The number of the account with this serial at this branch.
    pub fn new(branch: BranchCode, serial: u64) -> Result<Self, AccountNumberError> {
        if (1..CUSTOMER_SERIAL_MIN).contains(&serial) {
            Ok(Self { branch, serial })
        } else {
            Err(AccountNumberError::Serial)
        }
    }

    /// The branch's cash account of a currency. Its serial is the currency's number in ISO 4217 (840 for USD), so
    /// that no look-up stands before a deposit.
    pub fn cash(branch: BranchCode, currency: Currency) -> Self {
        Self { branch, serial: u64::from(currency.numeric()) }
    }

    /// Whether it is its branch's cash account of this currency.
    pub fn is_cash(self, currency: Currency) -> bool {
        // No number of ISO 4217 has four digits, so that most are told without looking the currency up.
        self.serial <= 999 && self == Self::cash(self.branch, currency)
    }

    /// From the database's form; `branch` is the code of the branch whose number is in the key.
    pub fn from_key(branch: BranchCode, key: AccountKey) -> Result<Self, AccountNumberError> {
        Self::new(branch, key.serial())
    }

    /// Where the account is kept.
    pub fn branch(self) -> BranchCode {
        self.branch
    }

    /// The database's form; `branch_number` is that of [`Self::branch`].
    pub fn key(self, branch_number: BranchNumber) -> AccountKey {
        key(branch_number, self.serial)
    }

    /// Its text, written into a buffer on the stack: what `Display` writes, without its machinery.
    pub fn encode(self, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &str {
        let code = self.branch.as_str();
        let (letters, places) = buffer.split_at_mut(LETTERS_MAX);
        let (check, serial) = places.split_at_mut(CHECK_PLACES);
        let start = letters.len().saturating_sub(code.len());
        for (slot, letter) in letters.iter_mut().skip(start).zip(code.bytes()) {
            *slot = letter;
        }
        digits::write(check_digits(self.branch, self.serial), check);
        digits::write(self.serial, serial);
        buffer.get(start..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// For people: in groups of four.
    pub fn grouped(self) -> String {
        let text = self.to_string();
        let groups: Vec<&str> =
            text.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
        groups.join(" ")
    }
}

impl CustomerNumber {
    /// The number of the customer with this serial at this branch.
    pub fn new(branch: BranchCode, serial: u64) -> Result<Self, AccountNumberError> {
        if (CUSTOMER_SERIAL_MIN..=SERIAL_MAX).contains(&serial) {
            Ok(Self(AccountNumber { branch, serial }))
        } else {
            Err(AccountNumberError::Serial)
        }
    }

    /// From the database's form; `branch` is the code of the branch whose number is in the key.
    pub fn from_key(branch: BranchCode, key: AccountKey) -> Result<Self, AccountNumberError> {
        Self::new(branch, key.serial())
    }

    /// The customer's branch.
    pub fn branch(self) -> BranchCode {
        self.0.branch
    }

    /// The database's form; `branch_number` is that of [`Self::branch`].
    pub fn key(self, branch_number: BranchNumber) -> AccountKey {
        key(branch_number, self.0.serial)
    }
}

impl AccountKey {
    /// From the bigint.
    pub fn from_i64(key: i64) -> Self {
        Self(key)
    }

    /// As the bigint.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// The branch's number; `None` if no branch can have it.
    pub fn branch_number(self) -> Option<BranchNumber> {
        u32::try_from(self.0.div_euclid(KEY_BASE)).ok().and_then(|number| BranchNumber::new(number).ok())
    }

    /// The twelve digits.
    pub fn serial(self) -> u64 {
        u64::try_from(self.0.rem_euclid(KEY_BASE)).unwrap_or(0)
    }
}

fn key(branch_number: BranchNumber, serial: u64) -> AccountKey {
    let serial = i64::try_from(serial).unwrap_or(0);
    let base = i64::from(branch_number.get()).saturating_mul(KEY_BASE);
    AccountKey(base.saturating_add(serial))
}

/// 98 less the remainder by 97 of serial, letters as two digits each, and 00, read as one number.
fn check_digits(branch: BranchCode, serial: u64) -> u64 {
    let with_letters = branch.as_str().bytes().fold(serial % 97, |remainder, letter| {
        let value = u64::from(letter).saturating_sub(55);
        remainder.saturating_mul(100).saturating_add(value)
    });
    98_u64.saturating_sub(with_letters.saturating_mul(100) % 97)
}

fn parse(text: &str) -> Result<(BranchCode, u64), AccountNumberError> {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let (code, digits) = text.split_at_checked(letters).ok_or(AccountNumberError::Form)?;
    let branch: BranchCode = code.parse().map_err(|_| AccountNumberError::Form)?;
    let (check, serial) = digits.as_bytes().split_at_checked(CHECK_PLACES).ok_or(AccountNumberError::Form)?;
    if serial.len() != SERIAL_PLACES {
        return Err(AccountNumberError::Form);
    }
    let check = digits::read(check).ok_or(AccountNumberError::Form)?;
    let serial = digits::read(serial).ok_or(AccountNumberError::Form)?;
    // Compared whole, not by remainder: 00, 01 and 99 leave the same remainder as 97, 98 and 02.
    if check != check_digits(branch, serial) {
        return Err(AccountNumberError::CheckDigits);
    }
    Ok((branch, serial))
}

impl FromStr for AccountNumber {
    type Err = AccountNumberError;

    fn from_str(text: &str) -> Result<Self, AccountNumberError> {
        parse(text).and_then(|(branch, serial)| Self::new(branch, serial))
    }
}

impl FromStr for CustomerNumber {
    type Err = AccountNumberError;

    fn from_str(text: &str) -> Result<Self, AccountNumberError> {
        parse(text).and_then(|(branch, serial)| Self::new(branch, serial))
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; TEXT_BYTES_MAX]))
    }
}

impl fmt::Display for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
