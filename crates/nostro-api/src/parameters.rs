//! Reads what stands in the URL: path segments and the query string.
//!
//! Unknown and repeated parameters are errors, as unknown fields of a body are: a misspelt `branch` that is
//! ignored is a list of something else.

use crate::fields::{self, Broken, Ruled, UNKNOWN_NAME_CHARS_MAX};
use crate::json::JsonValue;
use crate::problem::{Code, Problem};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use nostro_core::{AccountNumber, BranchCode, TransferId};
use nostro_engine::BatchId;
use uuid::Uuid;

/// A page has at most this many rows: enough for a screen, little enough for one answer.
pub(crate) const LIMIT_MAX: u16 = 200;
/// The rows of a page that names no limit.
pub(crate) const LIMIT_DEFAULT: u16 = 50;

/// The one variable segment of a path.
pub(crate) struct Segment(String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Problem::new(Code::InvalidRequest, "the path is not UTF-8")),
        }
    }
}

impl Segment {
    /// As an account number, of whichever branch.
    pub(crate) fn account_number(&self) -> Result<AccountNumber, Problem> {
        self.0.parse().map_err(|error| in_path("account number", error))
    }

    /// As the id of a batch, of whichever branch.
    pub(crate) fn batch_id(&self) -> Result<BatchId, Problem> {
        self.0.parse().map_err(|error| in_path("batch", error))
    }

    /// As the id of an audit.
    pub(crate) fn audit_id(&self) -> Result<Uuid, Problem> {
        fields::parse_id(&self.0).map_err(|error| in_path("audit id", error))
    }

    /// As the id of a transfer.
    pub(crate) fn transfer_id(&self) -> Result<TransferId, Problem> {
        fields::parse_id(&self.0).map(TransferId).map_err(|error| in_path("transfer id", error))
    }
}

fn in_path(noun: &str, error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidRequest, format!("the {noun} in the path: {error}"))
}

/// The query string, decoded and not yet judged.
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(Problem::new(Code::InvalidRequest, "the query string cannot be decoded")),
        }
    }
}

/// What a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListParameters {
    /// Rows of a page.
    pub(crate) limit: u16,
    /// Where the page before ended, still sealed.
    pub(crate) cursor: Option<String>,
    /// The branch, if it was named.
    pub(crate) branch: Option<BranchCode>,
}

impl Parameters {
    /// What a cursor carried.
    pub(crate) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// For a route that takes none.
    pub(crate) fn none(self) -> Result<(), Problem> {
        self.only(&[])
    }

    /// For a route that takes a branch.
    pub(crate) fn branch(self) -> Result<Option<BranchCode>, Problem> {
        self.only(&["branch"])?;
        self.read_branch()
    }

    /// For a list of what belongs to the resource in the path, without filters.
    pub(crate) fn list(self) -> Result<ListParameters, Problem> {
        self.only(&["limit", "cursor"])?;
        Ok(ListParameters { limit: self.read_limit()?, cursor: self.value("cursor"), branch: None })
    }

    /// For a list of what a branch keeps.
    pub(crate) fn branch_list(self) -> Result<ListParameters, Problem> {
        self.only(&["branch", "limit", "cursor"])?;
        Ok(ListParameters { limit: self.read_limit()?, cursor: self.value("cursor"), branch: self.read_branch()? })
    }

    fn read_branch(&self) -> Result<Option<BranchCode>, Problem> {
        let branch = self.value("branch").map(|text| text.parse::<BranchCode>()).transpose();
        branch.map_err(|error| Problem::new(Code::InvalidRequest, format!("branch: {error}")))
    }

    /// The rows of a page.
    pub(crate) fn read_limit(&self) -> Result<u16, Problem> {
        let Some(text) = self.value("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = if plain { text.parse().ok() } else { None };
        limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Problem::new(Code::InvalidRequest, format!("limit: a whole number, 1 to {LIMIT_MAX}")))
    }

    /// A parameter that may be absent, by the rule of a field.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        rule: impl FnOnce(&JsonValue<'_>) -> Ruled<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.value(name) else { return Ok(None) };
        match rule(&JsonValue::Text(text.into())) {
            Ok(value) => Ok(Some(value)),
            Err(Broken::Rule(rule)) => Err(Problem::new(Code::InvalidRequest, format!("{name}: {rule}"))),
            Err(Broken::UnknownBranch(code)) => Err(Problem::unknown_branch(code)),
        }
    }

    /// The text of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Refuses parameters that the route does not know, and repeated ones.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), Problem> {
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &self.0 {
            let Some(known) = names.iter().find(|known| *known == name) else {
                let rule = if names.is_empty() { "none are".to_owned() } else { format!("{} are", names.join(", ")) };
                let name: String = name.chars().take(UNKNOWN_NAME_CHARS_MAX).collect();
                let detail = format!("unknown query parameter {name:?}; {rule} known here");
                return Err(Problem::new(Code::InvalidRequest, detail));
            };
            if seen.contains(known) {
                return Err(Problem::new(Code::InvalidRequest, format!("{known} occurs more than once")));
            }
            seen.push(known);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_list_has_a_limit_a_cursor_and_a_branch() {
        let read = parameters(&[("limit", "200"), ("branch", "AZ"), ("cursor", "c")]).branch_list().unwrap();
        assert_eq!((read.limit, read.cursor.as_deref()), (200, Some("c")));
        assert_eq!(read.branch, Some("AZ".parse().unwrap()));
        let read = parameters(&[]).branch_list().unwrap();
        assert_eq!((read.limit, read.cursor, read.branch), (LIMIT_DEFAULT, None, None));
    }

    #[test]
    fn what_is_unknown_repeated_or_out_of_range_is_refused() {
        for (pairs, detail) in [
            (&[("limit", "0")][..], "limit: a whole number, 1 to 200"),
            (&[("limit", "201")], "limit: a whole number, 1 to 200"),
            (&[("limit", "+5")], "limit: a whole number, 1 to 200"),
            (&[("limit", "")], "limit: a whole number, 1 to 200"),
            (&[("limit", "5"), ("limit", "5")], "limit occurs more than once"),
            (&[("branch", "az")], "branch: a branch code is 2 to 4 capital letters, such as AZ"),
            (&[("offset", "5")], "unknown query parameter \"offset\"; branch, limit, cursor are known here"),
        ] {
            let problem = parameters(pairs).branch_list().unwrap_err();
            let body = serde_json::to_value(problem.body("", "")).unwrap();
            assert_eq!((&body["status"], &body["detail"]), (&400.into(), &detail.into()));
        }
        assert!(parameters(&[("x", "")]).none().is_err());
    }
}
