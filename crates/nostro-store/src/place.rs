//! Where rows stand in their table (`ctid`), from their lock to their update.
//!
//! A row that this transaction has locked does not move, so its place finds it again without the index. It means
//! nothing once the transaction has ended.

use crate::rows::RowError;
use bytes::BytesMut;
use nostro_core::AccountKey;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Block and line of a row, as PostgreSQL sends a `tid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place([u8; 6]);

impl<'a> FromSql<'a> for Place {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(TID);
}

impl ToSql for Place {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(TID);
    to_sql_checked!();
}

/// Where the locked accounts of a branch stand, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Places(Vec<(AccountKey, Place)>);

impl Places {
    /// Of a row with [`crate::rows::LOCKED_COLUMNS`].
    pub(crate) fn push(&mut self, row: &Row) -> Result<(), RowError> {
        self.0.push((AccountKey::from_i64(row.try_get(0)?), row.try_get(10)?));
        Ok(())
    }

    /// Once all are there.
    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable_by_key(|(key, _)| *key);
    }

    /// Of accounts that are all among the locked ones, in the order of their keys as well.
    pub(crate) fn of(&self, keys: impl Iterator<Item = AccountKey>) -> Vec<Place> {
        let mut places = self.0.iter();
        let mut place = |key: AccountKey| places.find(|(found, _)| *found == key).map(|(_, place)| *place);
        keys.map(|key| place(key).expect("the planner writes accounts that were locked only")).collect()
    }
}
