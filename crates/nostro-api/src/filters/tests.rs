//! Filters: what is read, what cursors carry, and what does not belong together.

use super::*;
use crate::problem::ProblemBody;
use nostro_core::BranchCode;

fn parameters(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn account() -> AccountNumber {
    "AZ93000000001042".parse().unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Result<FilteredList<EntryFilter>, Problem> {
    entries(&parameters(pairs), account(), &|code| ["AZ", "TX"].contains(&code.as_str()))
}

fn body(problem: &Problem) -> serde_json::Value {
    let body: ProblemBody = problem.body("", "");
    serde_json::to_value(body).unwrap()
}

const ALL: [(&str, &str); 8] = [
    ("kind", "transfer"),
    ("category", "7"),
    ("reference", "rent: May ~ 5%"),
    ("from", "2026-11-01T00:00:00+01:00"),
    ("to", "2026-12-01T00:00:00Z"),
    ("amount_min", "100"),
    ("amount_max", "20000"),
    ("counterparty", "TX25000000001042"),
];

#[test]
fn a_cursor_carries_every_filter_so_that_they_may_be_left_out() {
    let first = read(&ALL).unwrap();
    assert_eq!(first.filter.bounds.from, Some("2026-10-31T23:00:00Z".parse().unwrap()));
    assert_eq!(first.filter.kind, Some(TransferKind::Transfer));
    let next = cursor::seal(List::Entries, &first.carried, 77);
    let bare = read(&[("cursor", &next), ("limit", "3")]).unwrap();
    assert_eq!((bare.limit, bare.before, &bare.filter), (3, Some(77), &first.filter));
    assert_eq!(bare.carried, first.carried);
    let mut repeated = ALL.to_vec();
    repeated.push(("cursor", &next));
    assert_eq!(read(&repeated).unwrap().filter, first.filter);
    // The same instant written otherwise is the same filter.
    let written: Vec<(&str, &str)> = repeated
        .iter()
        .map(|(name, value)| (*name, if *name == "from" { "2026-10-31T23:00:00Z" } else { *value }))
        .collect();
    assert_eq!(read(&written).unwrap().filter, first.filter);
}

#[test]
fn a_cursor_of_other_filters_or_another_account_is_refused() {
    let sealed = |pairs: &[(&str, &str)]| cursor::seal(List::Entries, &read(pairs).unwrap().carried, 77);
    let of_all = sealed(&ALL);
    for (at, (name, _)) in ALL.iter().enumerate() {
        let mut fewer: Vec<(&str, &str)> =
            ALL.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, pair)| *pair).collect();
        fewer.push(("cursor", &of_all));
        let problem = body(&read(&fewer).unwrap_err());
        assert_eq!((&problem["status"], &problem["code"]), (&400.into(), &"invalid_request".into()), "{name}");
        assert!(problem["detail"].as_str().unwrap().starts_with("cursor: of a list with other filters"), "{problem}");
    }
    let plain = sealed(&[]);
    assert!(read(&[("cursor", &plain), ("kind", "transfer")]).is_err());
    assert!(read(&[("cursor", &plain)]).unwrap().filter.wants_all());
    let of_another = cursor::seal(List::Entries, "AZ66000000001043~kind=7472616e73666572", 77);
    let of_holds = cursor::seal(List::Holds, &account().to_string(), 77);
    let made_up = cursor::seal(List::Entries, &format!("{}~kind=7a", account()), 77);
    for foreign in [of_another, of_holds, made_up] {
        let problem = body(&read(&[("cursor", &foreign)]).unwrap_err());
        assert!(problem["detail"].as_str().unwrap().starts_with("cursor: not one"), "{problem}");
    }
}

#[test]
fn a_cursor_without_filters_is_as_it_always_was() {
    assert_eq!(read(&[]).unwrap().carried, "AZ93000000001042");
}

#[test]
fn bad_filters_are_named_with_their_rule() {
    for (name, value, detail) in [
        ("kind", "gift", "kind: expected one of: transfer, deposit"),
        ("category", "65536", "category: a whole number, 0 to 65535"),
        ("category", "+1", "category: a whole number, 0 to 65535"),
        ("reference", " ", "reference: one line of 1 to 140 characters"),
        ("from", "yesterday", "from: a time is RFC 3339"),
        ("to", "0001-01-01T00:00:00Z", "to: a time is of the years 1970 to 9998"),
        ("amount_min", "1.00", "amount_min: an amount is a whole number of minor units"),
        ("amount_max", "0", "amount_max: an amount is a whole number of minor units"),
        ("counterparty", "AZ94000000001042", "counterparty: the check digits do not match"),
        ("state", "open", "unknown query parameter \"state\""),
    ] {
        let problem = body(&read(&[(name, value)]).unwrap_err());
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
    let elsewhere = AccountNumber::new("NV".parse().unwrap(), 1_042).unwrap().to_string();
    assert_eq!(body(&read(&[("counterparty", &elsewhere)]).unwrap_err())["code"], "unknown_branch");
    for (pairs, detail) in [
        ([("from", "2026-12-01T00:00:00Z"), ("to", "2026-12-01T00:00:00Z")], "to: must be later than from"),
        ([("amount_min", "2"), ("amount_max", "1")], "amount_max: must be at least amount_min"),
    ] {
        assert_eq!(body(&read(&pairs).unwrap_err())["detail"], detail);
    }
}

#[test]
fn holds_have_filters_of_their_own() {
    let has_branch = |_: BranchCode| true;
    let pairs = [("state", "open"), ("counterparty", "TX25000000001042")];
    let first = holds(&parameters(&pairs), account(), &has_branch).unwrap();
    assert_eq!(first.filter.state, Some(HoldState::Open));
    let next = cursor::seal(List::Holds, &first.carried, 5);
    let bare = holds(&parameters(&[("cursor", &next)]), account(), &has_branch).unwrap();
    assert_eq!((bare.before, bare.filter), (Some(5), first.filter));
    assert!(holds(&parameters(&[("cursor", &next), ("state", "expired")]), account(), &has_branch).is_err());
    assert!(holds(&parameters(&[("kind", "hold")]), account(), &has_branch).is_err());
}
