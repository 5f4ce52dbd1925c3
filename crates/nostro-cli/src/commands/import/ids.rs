//! The ids of an import: each follows from the import's name, the kind of file and the line's ref (UUID version 5,
//! RFC 9562).
//!
//! Not from the line's content, nor from its place: a line that was changed meets what was made of it before and is a
//! conflict, a line that moved is the same. Ids of this version have no time in them, and so no time limit.

use uuid::Uuid;

/// Under which the names of imports stand. It must never change: the ids of earlier imports follow from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_2c0a_9b3e_4c57_8a41_7d5e_20c4_b913);

/// The ids of one import.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImportIds {
    customers: Uuid,
    accounts: Uuid,
    balances: Uuid,
}

impl ImportIds {
    /// Of the import with this name.
    pub(super) fn of(name: &str) -> Self {
        let import = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        let of_file = |kind: &str| Uuid::new_v5(&import, kind.as_bytes());
        Self { customers: of_file("customers"), accounts: of_file("accounts"), balances: of_file("balances") }
    }

    /// Of the customer with this ref.
    pub(super) fn customer(&self, reference: &str) -> Uuid {
        Uuid::new_v5(&self.customers, reference.as_bytes())
    }

    /// Of the account with this ref.
    pub(super) fn account(&self, reference: &str) -> Uuid {
        Uuid::new_v5(&self.accounts, reference.as_bytes())
    }

    /// Of the opening balance of the account with this ref.
    pub(super) fn balance(&self, account: &str) -> Uuid {
        Uuid::new_v5(&self.balances, account.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostro_core::{Period, TransferId};

    #[test]
    fn ids_never_change_and_no_two_are_alike() {
        let (one, other) = (ImportIds::of("move-in"), ImportIds::of("move-in 2"));
        let ids = [one.customer("1"), one.account("1"), one.balance("1"), one.customer("2"), other.customer("1")];
        assert_eq!(ids.map(|id| id.to_string()), EXPECTED);
        assert!(ids.iter().all(|id| TransferId(*id).period() == Period::OTHER), "no time limit");
    }

    /// Reckoned by another program: Python's `uuid.uuid5`.
    const EXPECTED: [&str; 5] = [
        "08ff8799-164f-577b-85c9-592e98ba6216",
        "ba033baf-6a97-5544-871a-e6af5c22538c",
        "ff72280d-c3db-58ab-b93e-870b7ce88e4c",
        "09b41da6-7175-55a6-89dd-e451ff8738d4",
        "caab3c20-2d6d-56a2-861f-f7b596237d90",
    ];
}
