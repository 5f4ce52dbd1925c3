//! The filters of lists: read from the query, and carried by the list's cursors.
//!
//! A cursor carries the filters of its list, so beside one they may be left out; named, they are the same or it is an
//! error, as a page of one list and the next page of another are pages of nothing. They are carried in one form
//! whatever form they were written in, and read back by the same rules.

use crate::cursor::{self, List};
use crate::fields::{self, HasBranch, Ruled};
use crate::json::JsonValue;
use crate::parameters::Parameters;
use crate::problem::{Code, Problem};
use nostro_core::{AccountNumber, Bounds, EntryFilter, HoldFilter, HoldState, Reference, TransferKind};

const ENTRIES: [&str; 10] =
    ["limit", "cursor", "kind", "category", "reference", "from", "to", "amount_min", "amount_max", "counterparty"];
const HOLDS: [&str; 8] = ["limit", "cursor", "state", "from", "to", "amount_min", "amount_max", "counterparty"];

/// What a filtered list of an account is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FilteredList<F> {
    /// Rows of a page.
    pub(crate) limit: u16,
    /// Rows below this key; all if absent.
    pub(crate) before: Option<i64>,
    /// What is wanted.
    pub(crate) filter: F,
    /// The filter as the next cursor carries it.
    pub(crate) carried: String,
}

/// The list of an account's entries.
pub(crate) fn entries(
    parameters: &Parameters,
    number: AccountNumber,
    has_branch: HasBranch<'_>,
) -> Result<FilteredList<EntryFilter>, Problem> {
    parameters.only(&ENTRIES)?;
    let read = |parameters: &Parameters| read_entry_filter(parameters, has_branch);
    let join = |filter: &EntryFilter| cursor::join(&number.to_string(), &entry_pairs(filter));
    let named = read(parameters)?;
    let named = (!named.wants_all()).then_some(named);
    list(parameters, List::Entries, named, read, join)
}

/// The list of the holds at an account.
pub(crate) fn holds(
    parameters: &Parameters,
    number: AccountNumber,
    has_branch: HasBranch<'_>,
) -> Result<FilteredList<HoldFilter>, Problem> {
    parameters.only(&HOLDS)?;
    let read = |parameters: &Parameters| read_hold_filter(parameters, has_branch);
    let join = |filter: &HoldFilter| cursor::join(&number.to_string(), &hold_pairs(filter));
    let named = read(parameters)?;
    let named = (!named.wants_all()).then_some(named);
    list(parameters, List::Holds, named, read, join)
}

/// `named` is absent where the query names no filter: then it is the cursor's.
fn list<F: Default>(
    parameters: &Parameters,
    list: List,
    named: Option<F>,
    read: impl Fn(&Parameters) -> Result<F, Problem>,
    join: impl Fn(&F) -> String,
) -> Result<FilteredList<F>, Problem> {
    let limit = parameters.read_limit()?;
    let Some(text) = parameters.value("cursor") else {
        let filter = named.unwrap_or_default();
        return Ok(FilteredList { limit, before: None, carried: join(&filter), filter });
    };
    let (carried, before) = cursor::open(list, &text)?;
    let filter = match named {
        Some(named) if join(&named) == carried => named,
        Some(_) => {
            let detail = "cursor: of a list with other filters; leave them out, or repeat them as they were";
            return Err(Problem::new(Code::InvalidRequest, detail));
        }
        None => {
            let (_, pairs) = cursor::split(&carried).ok_or_else(cursor::foreign)?;
            read(&Parameters::of(pairs)).map_err(|_| cursor::foreign())?
        }
    };
    // Its account too.
    if join(&filter) != carried {
        return Err(cursor::foreign());
    }
    Ok(FilteredList { limit, before: Some(before), filter, carried })
}

fn read_entry_filter(parameters: &Parameters, has_branch: HasBranch<'_>) -> Result<EntryFilter, Problem> {
    Ok(EntryFilter {
        bounds: read_bounds(parameters, has_branch)?,
        kind: parameters.read("kind", |value| fields::text(value, str::parse::<TransferKind>))?,
        category: parameters.read("category", category)?,
        reference: parameters.read("reference", |value| fields::text(value, Reference::new))?,
    })
}

fn read_hold_filter(parameters: &Parameters, has_branch: HasBranch<'_>) -> Result<HoldFilter, Problem> {
    Ok(HoldFilter {
        bounds: read_bounds(parameters, has_branch)?,
        state: parameters.read("state", |value| fields::text(value, str::parse::<HoldState>))?,
    })
}

fn read_bounds(parameters: &Parameters, has_branch: HasBranch<'_>) -> Result<Bounds, Problem> {
    let bounds = Bounds {
        from: parameters.read("from", fields::time)?,
        to: parameters.read("to", fields::time)?,
        amount_min: parameters.read("amount_min", fields::amount)?,
        amount_max: parameters.read("amount_max", fields::amount)?,
        counterparty: parameters.read("counterparty", |value| fields::account_number(value, has_branch))?,
    };
    bounds.check().map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
    Ok(bounds)
}

/// A whole number as text, as a query has it.
fn category(value: &JsonValue<'_>) -> Ruled<u16> {
    fields::text(value, |text| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().ok_or("a whole number, 0 to 65535")
    })
}

fn entry_pairs(filter: &EntryFilter) -> Vec<(&'static str, String)> {
    let EntryFilter { bounds, kind, category, reference } = filter;
    let own = [
        ("kind", kind.map(|kind| kind.to_string())),
        ("category", category.map(|category| category.to_string())),
        ("reference", reference.as_ref().map(ToString::to_string)),
    ];
    named(own.into_iter().chain(bound_pairs(bounds)))
}

fn hold_pairs(filter: &HoldFilter) -> Vec<(&'static str, String)> {
    let HoldFilter { bounds, state } = filter;
    named([("state", state.map(|state| state.to_string()))].into_iter().chain(bound_pairs(bounds)))
}

fn bound_pairs(bounds: &Bounds) -> [(&'static str, Option<String>); 5] {
    let Bounds { from, to, amount_min, amount_max, counterparty } = bounds;
    [
        ("from", from.map(|from| from.to_string())),
        ("to", to.map(|to| to.to_string())),
        ("amount_min", amount_min.map(|amount| amount.to_string())),
        ("amount_max", amount_max.map(|amount| amount.to_string())),
        ("counterparty", counterparty.map(|number| number.to_string())),
    ]
}

fn named(pairs: impl Iterator<Item = (&'static str, Option<String>)>) -> Vec<(&'static str, String)> {
    pairs.filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests;
