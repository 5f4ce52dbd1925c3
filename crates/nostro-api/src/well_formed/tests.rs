//! The fast reader against the one that names what is wrong: on whatever the fast one reads, both read the same.

use super::*;
use crate::ask::Ask;
use crate::bulk_body;
use crate::json::JsonValue;
use crate::transfer_body;
use nostro_core::BranchCode;
use proptest::prelude::*;
use std::cell::Cell;

fn known(code: BranchCode) -> bool {
    ["AZ", "TX"].contains(&code.as_str())
}

/// What each field is sent as: first what is right, then what is nearly right.
const VALUES: [(&str, &[&str], &[&str]); 7] = [
    (
        "id",
        &[r#""01938e1c-93d2-7cc4-9ac4-6a8df2a3c001""#, r#""01938E1C-93D2-4CC4-9AC4-6A8DF2A3C001""#],
        &[r#""01938e1c93d27cc49ac46a8df2a3c001""#, r#""00000000-0000-0000-0000-000000000000""#, "7", "null", "[]"],
    ),
    (
        "debit_account",
        &[r#""AZ93000000001042""#, r#""\u0041Z93000000001042""#],
        &[r#""AZ94000000001042""#, r#""NV75000000001042""#, r#""az93000000001042""#, "{}"],
    ),
    ("credit_account", &[r#""TX25000000001042""#], &[r#""AZ93000000001042""#, r#"" TX25000000001042""#, "null"]),
    (
        "amount",
        &[r#""1""#, r#""999999999999999999""#, r#""1\u00300""#],
        &["100", "1e2", r#""0""#, r#""01""#, r#""1000000000000000000""#, r#""1.00""#, "null"],
    ),
    ("currency", &[r#""USD""#, r#""JPY""#], &[r#""usd""#, r#""XXX""#, r#"["USD"]"#, "840"]),
    (
        "category",
        &["", "null", "0", "65535"],
        &["-0", "-1", "65536", "1.0", "1e0", "01", r#""1""#, "true", "18446744073709551616", "1e999"],
    ),
    (
        "reference",
        &["", "null", r#""rent""#, r#""\u00e9t\u00e9 \ud83c\udf1e""#, "\"\u{e9}t\u{e9}\""],
        &[r#""""#, r#"" rent""#, r#""two\nlines""#, r#""\ud800""#, "\"tab\there\"", "{}"],
    ),
];

/// An item that is right, its fields in any order, with any white space.
fn right() -> impl Strategy<Value = String> {
    let chosen = VALUES.map(|(name, right, _)| {
        proptest::sample::select(right).prop_map(move |json| (!json.is_empty()).then(|| format!("\"{name}\":{json}")))
    });
    (chosen.to_vec().prop_shuffle(), prop_oneof![Just(""), Just(" "), Just("\r\n\t")]).prop_map(|(members, space)| {
        let members: Vec<String> = members.into_iter().flatten().collect();
        format!("{space}{{{space}{}{space}}}{space}", members.join(&format!("{space},{space}")))
    })
}

/// An item of values that may be wrong, fields that may be absent, twice there or unknown.
fn doubtful() -> impl Strategy<Value = String> {
    let member = (0..VALUES.len()).prop_flat_map(|at| {
        let (name, right, wrong) = VALUES[at];
        let name = prop_oneof![8 => Just(name), 1 => Just("referense"), 1 => Just("\\u0069d")];
        let json = prop_oneof![9 => proptest::sample::select(right), 1 => proptest::sample::select(wrong)];
        (name, json).prop_map(|(name, json)| format!("\"{name}\":{}", if json.is_empty() { "null" } else { json }))
    });
    prop_oneof![
        (right(), member.clone()).prop_map(|(item, more)| item.replacen('{', &format!("{{{more},"), 1)),
        (right(), proptest::sample::select(&VALUES[..]), any::<prop::sample::Index>()).prop_map(
            |(item, (name, right, wrong), at)| {
                let good = right.iter().find(|json| item.contains(&format!("\"{name}\":{json}")) && !json.is_empty());
                good.map_or(item.clone(), |good| {
                    item.replace(&format!("\"{name}\":{good}"), &format!("\"{name}\":{}", at.get(wrong)))
                })
            }
        ),
        proptest::collection::vec(member, 0..9).prop_map(|members| format!("{{{}}}", members.join(","))),
        proptest::sample::select(&["[]", "null", "7", "{}", "[\"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001\"]"][..])
            .prop_map(str::to_owned),
    ]
}

/// A bulk, or nearly one.
fn bulk() -> impl Strategy<Value = String> {
    let items = proptest::collection::vec(prop_oneof![9 => right(), 1 => doubtful()], 0..4);
    let frame = prop_oneof![
        12 => Just(("{\"transfers\":[", "]}")),
        1 => Just(("{\"transfers\" : [", "]}\n ")),
        1 => Just(("{\"atomic\":true,\"transfers\":[", "]}")),
        1 => Just(("{\"transfers\":[", "],\"transfers\":[]}")),
        1 => Just(("[{\"transfers\":[", "]}]")),
        1 => Just(("{\"transfers\":[", ",]}")),
        1 => Just(("{\"transfers\":[", "]}{}")),
        1 => Just(("[[", "]]")),
    ];
    (items, frame).prop_map(|(items, (before, after))| format!("{before}{}{after}", items.join(",")))
}

/// The bytes, perhaps with one of them changed, left out or the rest cut off.
fn damaged(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    (text, any::<prop::sample::Index>(), 0..8_u8, any::<u8>()).prop_map(|(text, at, damage, byte)| {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match damage {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            _ => {}
        }
        bytes
    })
}

fn slow(body: &[u8]) -> Option<Transfer> {
    JsonValue::parse(body).ok().and_then(|value| transfer_body::transfer(value, &known).ok())
}

/// Nothing, if it reads what is more than plain transfers.
fn slow_bulk(body: &[u8]) -> Option<Vec<Transfer>> {
    let bulk = JsonValue::parse(body).ok().and_then(|value| bulk_body::bulk(value, &known).ok())?;
    if bulk.is_link.contains(&true) {
        return None;
    }
    let plain = |item| match item {
        Ask::Whole(transfer) => Some(transfer),
        Ask::OfHold { .. } | Ask::Reversal { .. } => None,
    };
    bulk.items.into_iter().map(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_read_of_a_transfer_is_what_the_slow_reader_reads(
        body in damaged(prop_oneof![right(), doubtful()])
    ) {
        prop_assert_eq!(transfer(&body, &known), slow(&body), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn what_is_read_of_a_bulk_is_what_the_slow_reader_reads(body in damaged(bulk())) {
        prop_assert_eq!(transfers(&body, &known), slow_bulk(&body), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn a_right_transfer_takes_the_fast_way(body in right()) {
        prop_assert!(transfer(body.as_bytes(), &known).is_some(), "{}", body);
    }
}

#[test]
fn a_bulk_of_more_than_its_most_is_left_to_the_slow_reader() {
    let items = |count: usize| {
        let item = r#"{"id":"01938e1c-93d2-7cc4-9ac4-6a8df2a3c001","debit_account":"AZ93000000001042","credit_account":"TX25000000001042","amount":"1","currency":"USD"}"#;
        format!("{{\"transfers\":[{}]}}", vec![item; count].join(","))
    };
    for (count, expected) in [(0, None), (BULK_TRANSFERS_MAX, Some(BULK_TRANSFERS_MAX)), (BULK_TRANSFERS_MAX + 1, None)]
    {
        let asked = Cell::new(0);
        let counting = |_| {
            asked.set(asked.get() + 1);
            true
        };
        let read = transfers(items(count).as_bytes(), &counting);
        assert_eq!(read.map(|transfers| transfers.len()), expected);
        assert_eq!(asked.get(), 2 * count.min(BULK_TRANSFERS_MAX + 1), "each account's branch is asked for once");
    }
}
