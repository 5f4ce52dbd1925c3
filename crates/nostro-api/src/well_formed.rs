//! The fast way in: bodies of transfers in which nothing is wrong, straight into the core's types.
//!
//! It says yes or nothing. A rule that is broken anywhere, however slightly, is `None`, and the caller reads the
//! body again with [`crate::transfer_body`], which names every broken rule with its place. So no rule is written
//! here: each value goes through the parser that the slow way uses too, and a property test holds the two against
//! each other on everything that is read here. Almost every body is well formed, and no tree is built of it.

use crate::fields::{self, HasBranch};
use crate::json::BorrowedText;
use crate::transfer_body::BULK_TRANSFERS_MAX;
use nostro_core::{AccountNumber, Amount, Currency, Operation, Reference, Transfer, TransferId};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The shortest item with its comma has more bytes than this, so a body has fewer items than its share of them.
const ITEM_BYTES_MIN: usize = 128;

/// The transfer of a single request's body.
pub(crate) fn transfer(body: &[u8], has_branch: HasBranch<'_>) -> Option<Transfer> {
    read(body, Item { has_branch })
}

/// The transfers of a bulk's body.
pub(crate) fn transfers(body: &[u8], has_branch: HasBranch<'_>) -> Option<Vec<Transfer>> {
    let capacity = (body.len() / ITEM_BYTES_MIN).min(BULK_TRANSFERS_MAX);
    read(body, Bulk { items: Items { item: Item { has_branch }, capacity } })
}

fn read<'de, S: DeserializeSeed<'de>>(body: &'de [u8], shape: S) -> Option<S::Value> {
    // UTF-8 is checked once for the whole body, which is faster than text by text.
    let mut deserializer = serde_json::Deserializer::from_str(std::str::from_utf8(body).ok()?);
    let value = shape.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// `{"transfers": [...]}`
struct Bulk<'b> {
    items: Items<'b>,
}

/// `[{...}, ...]`
struct Items<'b> {
    item: Item<'b>,
    capacity: usize,
}

/// One transfer.
#[derive(Clone, Copy)]
struct Item<'b> {
    has_branch: HasBranch<'b>,
}

impl<'de> DeserializeSeed<'de> for Bulk<'_> {
    type Value = Vec<Transfer>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Bulk<'_> {
    type Value = Vec<Transfer>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bulk")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        match members.next_key()? {
            Some(BorrowedText(name)) if name == "transfers" => {}
            Some(_) | None => return Err(unusual()),
        }
        let transfers = members.next_value_seed(self.items)?;
        match members.next_key::<BorrowedText<'_>>()? {
            None => Ok(transfers),
            Some(_) => Err(unusual()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Transfer>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Transfer>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of transfers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut transfers = Vec::with_capacity(self.capacity);
        while let Some(transfer) = items.next_element_seed(self.item)? {
            transfers.push(transfer);
            if transfers.len() > BULK_TRANSFERS_MAX {
                return Err(unusual());
            }
        }
        if transfers.is_empty() { Err(unusual()) } else { Ok(transfers) }
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Transfer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Transfer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Transfer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transfer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Transfer, A::Error> {
        let (mut id, mut debit, mut credit, mut amount) = (None, None, None, None);
        let (mut currency, mut category, mut reference) = (None, None, None);
        while let Some(BorrowedText(name)) = members.next_key()? {
            let members = &mut members;
            match &*name {
                "id" => once(&mut id, text(members, |text| fields::parse_id(text).ok())?)?,
                "debit_account" => once(&mut debit, text(members, |text| self.account_number(text))?)?,
                "credit_account" => once(&mut credit, text(members, |text| self.account_number(text))?)?,
                "amount" => once(&mut amount, text(members, |text| Amount::parse(text).ok())?)?,
                "currency" => once(&mut currency, text(members, |text| text.parse::<Currency>().ok())?)?,
                "category" => once(&mut category, members.next_value::<Option<u16>>()?)?,
                "reference" => once(&mut reference, reference_or_null(members)?)?,
                _ => return Err(unusual()),
            }
        }
        let (debit, credit) = (there(debit)?, there(credit)?);
        if debit == credit {
            return Err(unusual());
        }
        Ok(Transfer {
            id: TransferId(there(id)?),
            operation: Operation::Transfer,
            debit,
            credit,
            amount: there(amount)?,
            currency: there(currency)?,
            category: category.flatten().unwrap_or(0),
            reference: reference.flatten(),
            link: None,
        })
    }
}

impl Item<'_> {
    fn account_number(self, text: &str) -> Option<AccountNumber> {
        text.parse().ok().filter(|number: &AccountNumber| (self.has_branch)(number.branch()))
    }
}

fn text<'de, A: MapAccess<'de>, T>(members: &mut A, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, A::Error> {
    let BorrowedText(text) = members.next_value()?;
    parse(&text).ok_or_else(unusual)
}

fn reference_or_null<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Option<Reference>, A::Error> {
    let text: Option<BorrowedText<'_>> = members.next_value()?;
    text.map(|BorrowedText(text)| Reference::new(&text)).transpose().map_err(|_| unusual())
}

/// Fills a field that was not met before, not even as null.
fn once<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(unusual()) } else { Ok(()) }
}

fn there<T, E: Error>(field: Option<T>) -> Result<T, E> {
    field.ok_or_else(unusual)
}

/// Nobody reads it: the slow way says what is wrong.
fn unusual<E: Error>() -> E {
    E::custom("not read here")
}

#[cfg(test)]
mod tests;
