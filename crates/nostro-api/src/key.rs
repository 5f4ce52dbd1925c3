//! Keys of the API and the roles that they give.
//!
//! A key is a long random text, so one round of SHA-256 keeps it: there is nothing to guess. Only the hash is
//! held; it is compared in constant time with every key, so that neither time nor order tells which one was near.
//! A key is never printed, not even its hash.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Operator,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// Whether the role may do more than read.
    pub(crate) fn may_write(self) -> bool {
        match self {
            Self::Operator => true,
            Self::Auditor => false,
        }
    }
}

/// A key, as the hash of its text.
#[derive(Clone)]
pub struct ApiKey {
    role: Role,
    hash: [u8; 32],
}

impl ApiKey {
    /// The key with this text.
    pub fn new(role: Role, secret_text: &str) -> Self {
        Self { role, hash: hash(secret_text) }
    }

    /// What it may do.
    pub(crate) fn role(&self) -> Role {
        self.role
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("role", &self.role).finish_non_exhaustive()
    }
}

/// The place in `keys` of the key with this text. Looks at all of them, whichever matches.
pub(crate) fn position(keys: &[ApiKey], secret_text: &str) -> Option<usize> {
    let offered = hash(secret_text);
    let mut found = 0_u64;
    let mut any = Choice::from(0);
    for (at, key) in (0_u64..).zip(keys) {
        let equal = key.hash.ct_eq(&offered);
        found.conditional_assign(&at, equal);
        any |= equal;
    }
    bool::from(any).then(|| usize::try_from(found).ok()).flatten()
}

fn hash(secret_text: &str) -> [u8; 32] {
    Sha256::digest(secret_text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_whole_text_only() {
        let keys = [ApiKey::new(Role::Operator, "first-secret"), ApiKey::new(Role::Auditor, "second-secret")];
        for (text, expected) in [
            ("first-secret", Some(0)),
            ("second-secret", Some(1)),
            ("first-secre", None),
            ("first-secret ", None),
            ("FIRST-SECRET", None),
            ("", None),
        ] {
            assert_eq!(position(&keys, text), expected, "{text:?}");
        }
        assert_eq!(position(&[], "first-secret"), None);
    }

    #[test]
    fn a_key_prints_neither_its_text_nor_its_hash() {
        let key = ApiKey::new(Role::Auditor, "second-secret");
        assert_eq!(format!("{key:?}"), "ApiKey { role: Auditor, .. }");
    }
}
