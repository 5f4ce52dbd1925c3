//! What two branches may have of one batch, and what is found.

use super::*;

fn code(text: &str) -> BranchCode {
    text.parse().unwrap()
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn group(counterparty: &str, period: i32, transfers: i64, net: i128) -> Group {
    Group {
        counterparty: counterparty.to_owned(),
        currency: "USD".to_owned(),
        period: Period::from_i32(period),
        transfers,
        net,
        hash: Some(vec![7; 32]),
        contents: Some(vec![8; 32]),
        first_posted_at: time(90),
        last_posted_at: time(90),
    }
}

fn side(counterparty: &str, net: i64) -> BatchSide {
    BatchSide {
        recorded: Some(Recorded { parts: BTreeSet::from([code("AZ"), code("TX")]), at: time(100) }),
        nets: vec![KeptNet {
            counterparty: counterparty.to_owned(),
            currency: "USD".to_owned(),
            amount: net,
            hash: vec![7; 32],
        }],
        groups: vec![group(counterparty, 202_611, 3, i128::from(net))],
        wholes: Vec::new(),
    }
}

/// Both sides of a batch, right before a change.
fn changed(change: impl FnOnce(&mut BatchSide, &mut BatchSide)) -> BTreeMap<BranchCode, BatchSide> {
    let (mut az, mut tx) = (side("TX", 70), side("AZ", -70));
    change(&mut az, &mut tx);
    BTreeMap::from([(code("AZ"), az), (code("TX"), tx)])
}

fn judged(sides: &BTreeMap<BranchCode, BatchSide>, archived: &BTreeMap<BranchCode, Archived>) -> Vec<String> {
    let mut findings = Findings::default();
    let differing = compare("AZ-1-7", sides, archived, &mut findings);
    let found: Vec<String> = findings
        .named()
        .map(|(finding, _)| {
            let branch = finding.branch.map_or_else(String::new, |branch| branch.to_string());
            format!("{branch} {} {}", finding.rule, finding.table)
        })
        .collect();
    assert_eq!(differing.len(), found.iter().filter(|found| found.contains("batch_transfers")).count());
    found
}

fn found(change: impl FnOnce(&mut BatchSide, &mut BatchSide)) -> Vec<String> {
    judged(&changed(change), &BTreeMap::new())
}

#[test]
fn a_batch_that_is_the_same_at_both_branches_is_right() {
    assert_eq!(found(|_, _| ()), Vec::<String>::new());
    let local = BatchSide {
        recorded: Some(Recorded { parts: BTreeSet::from([code("AZ")]), at: time(1) }),
        groups: vec![Group { hash: None, contents: None, ..group("AZ", 0, 2, 0) }],
        ..BatchSide::default()
    };
    assert_eq!(judged(&BTreeMap::from([(code("AZ"), local)]), &BTreeMap::new()), Vec::<String>::new());
}

#[test]
fn each_part_must_have_recorded_it() {
    assert_eq!(found(|_, tx| tx.recorded = None), ["TX batch_record participation"]);
    assert_eq!(found(|az, _| az.recorded = None), ["AZ batch_record batch"]);
    let neither = found(|az, tx| (az.recorded, tx.recorded) = (None, None));
    assert_eq!(neither, ["AZ batch_record batch", "TX batch_record participation"]);
    let other = |_: &mut BatchSide, tx: &mut BatchSide| {
        tx.recorded = Some(Recorded { parts: BTreeSet::from([code("NV"), code("TX")]), at: time(1) });
    };
    assert_eq!(found(other), ["TX batch_record participation"]);
    let alone = BTreeMap::from([(code("AZ"), side("TX", 70))]);
    assert_eq!(judged(&alone, &BTreeMap::new()), ["TX batch_record participation", "TX batch_transfers transfer"]);
}

#[test]
fn each_net_must_be_that_of_the_transfers() {
    assert_eq!(found(|az, _| az.nets[0].amount += 1), ["AZ batch_net batch_net"]);
    assert_eq!(found(|_, tx| tx.nets[0].hash[0] += 1), ["TX batch_hash batch_net"]);
    assert_eq!(found(|az, _| az.nets.clear()), ["AZ batch_net batch_net"]);
    let no_transfers = |az: &mut BatchSide, tx: &mut BatchSide| {
        az.groups.clear();
        tx.groups.clear();
    };
    assert_eq!(
        found(no_transfers),
        ["AZ batch_rows transfer", "AZ batch_net batch_net", "TX batch_rows transfer", "TX batch_net batch_net"]
    );
}

#[test]
fn a_hash_is_told_in_hexadecimal() {
    let mut findings = Findings::default();
    compare("AZ-1-7", &changed(|_, tx| tx.nets[0].hash = vec![0, 0xa5]), &BTreeMap::new(), &mut findings);
    let told: Vec<(&str, &str)> =
        findings.named().map(|(finding, _)| (finding.expected.as_str(), finding.found.as_str())).collect();
    assert_eq!(told, [("07".repeat(32).as_str(), "00a5")]);
}

#[test]
fn a_record_without_transfers_is_none_unless_the_archive_may_hold_them() {
    let refused = |groups: Vec<Group>| {
        let recorded = Some(Recorded { parts: BTreeSet::from([code("AZ")]), at: time(100) });
        BTreeMap::from([(code("AZ"), BatchSide { recorded, groups, ..BatchSide::default() })])
    };
    let groups = vec![Group { hash: None, contents: None, ..group("AZ", 202_611, 2, 0) }];
    assert_eq!(judged(&refused(groups), &BTreeMap::new()), Vec::<String>::new());
    assert_eq!(judged(&refused(Vec::new()), &BTreeMap::new()), ["AZ batch_rows transfer"]);
    for (until, expected) in [(101, &[][..]), (100, &["AZ batch_rows transfer"])] {
        let archived = Archived { periods: BTreeSet::from([Period::from_i32(202_611)]), until: Some(time(until)) };
        assert_eq!(judged(&refused(Vec::new()), &BTreeMap::from([(code("AZ"), archived)])), expected, "{until}");
    }
}

#[test]
fn all_transfers_of_a_batch_have_one_time() {
    assert_eq!(found(|az, _| az.groups[0].last_posted_at = time(91)), ["AZ batch_time transfer"]);
    let other = |_: &mut BatchSide, tx: &mut BatchSide| {
        (tx.groups[0].first_posted_at, tx.groups[0].last_posted_at) = (time(91), time(91));
    };
    assert_eq!(found(other), ["TX batch_time transfer"]);
    let local = |az: &mut BatchSide, _: &mut BatchSide| {
        let own = group("AZ", 202_611, 1, 0);
        az.groups.push(Group {
            hash: None,
            contents: None,
            first_posted_at: time(89),
            last_posted_at: time(89),
            ..own
        });
    };
    assert_eq!(found(local), ["AZ batch_time transfer", "TX batch_time transfer"], "the first branch has two times");
}

#[test]
fn every_branch_of_a_batch_has_part_in_what_is_found_of_it() {
    type Change = fn(&mut BatchSide, &mut BatchSide);
    let changes: [(Change, bool); 5] = [
        (|_, tx| tx.recorded = None, false),
        (|_, tx| tx.groups[0].transfers = 4, false),
        (|_, tx| tx.groups[0].last_posted_at = time(91), false),
        // These are of one branch alone.
        (|_, tx| tx.nets[0].hash[0] += 1, true),
        (|_, _| (), true),
    ];
    for (at, (change, az_is_spared)) in changes.into_iter().enumerate() {
        let mut findings = Findings::default();
        compare("AZ-1-7", &changed(change), &BTreeMap::new(), &mut findings);
        assert_eq!(findings.spare(code("AZ")), az_is_spared, "{at}");
        assert!(findings.spare(code("NV")), "{at}");
    }
}

#[test]
fn both_branches_must_have_the_same_transfers() {
    let expected = ["TX batch_transfers transfer"];
    assert_eq!(found(|az, _| az.groups[0].contents = Some(vec![9; 32])), expected);
    assert_eq!(
        found(|az, _| az.groups[0].contents = None),
        [""; 0],
        "of a month that was taken out before it was kept"
    );
    let amount = |az: &mut BatchSide, _: &mut BatchSide| {
        az.groups[0].net += 1;
        az.nets[0].amount += 1;
    };
    assert_eq!(found(amount), expected);
    let hash = |_: &mut BatchSide, tx: &mut BatchSide| {
        tx.groups[0].hash = Some(vec![1; 32]);
        tx.nets[0].hash = vec![1; 32];
    };
    assert_eq!(found(hash), expected);
    assert_eq!(found(|_, tx| tx.groups[0].transfers = 4), expected);
}

#[test]
fn transfers_of_several_months_have_the_hash_of_the_whole_where_all_were_read() {
    let split = |az: &mut BatchSide, tx: &mut BatchSide| {
        for (side, counterparty, sign) in [(az, "TX", 1), (tx, "AZ", -1)] {
            side.groups = vec![group(counterparty, 202_611, 1, 30 * sign), group(counterparty, 202_612, 2, 40 * sign)];
            for group in &mut side.groups {
                group.hash = Some(vec![1; 32]);
            }
        }
    };
    assert_eq!(found(split), Vec::<String>::new(), "the hash of the whole is not known");
    let whole = |hash: u8, transfers: i64| Whole {
        counterparty: "TX".to_owned(),
        currency: "USD".to_owned(),
        transfers,
        hash: vec![hash; 32],
    };
    for (hash, transfers, expected) in [(7, 3, &[][..]), (6, 3, &["AZ batch_hash batch_net"]), (6, 2, &[])] {
        let with_whole = |az: &mut BatchSide, tx: &mut BatchSide| {
            split(az, tx);
            az.wholes.push(whole(hash, transfers));
        };
        assert_eq!(found(with_whole), expected, "{hash} {transfers}");
    }
}

#[test]
fn what_the_archive_may_hold_is_not_judged() {
    let sides = changed(|_, tx| tx.groups.clear());
    let unknown = |period, until| {
        let archived = Archived { periods: BTreeSet::from([Period::from_i32(period)]), until: Some(time(until)) };
        BTreeMap::from([(code("TX"), archived)])
    };
    let wrong = ["TX batch_rows transfer", "TX batch_net batch_net", "TX batch_transfers transfer"];
    assert_eq!(judged(&sides, &BTreeMap::new()), wrong);
    assert_eq!(judged(&sides, &unknown(202_611, 101)), Vec::<String>::new());
    assert_eq!(judged(&sides, &unknown(202_610, 101)), ["TX batch_transfers transfer"], "of another month");
    assert_eq!(judged(&sides, &unknown(202_610, 100)), wrong, "recorded after all that");
}

#[test]
fn the_first_transfer_that_differs_is_named() {
    let content =
        |id: u128, words: &str| Content { id: TransferId(uuid::Uuid::from_u128(id)), words: words.to_owned() };
    let differing = Differing { batch: "AZ-1-7".to_owned(), first: code("AZ"), second: code("TX") };
    let az = [content(1, "a"), content(2, "b"), content(3, "c")];
    for (tx, expected) in [
        (vec![content(1, "a"), content(2, "b"), content(3, "c")], None),
        (vec![content(1, "a"), content(2, "x"), content(3, "y")], Some((2, "AZ: b", "TX: x"))),
        (vec![content(1, "a"), content(3, "c")], Some((2, "AZ: b", "TX: no posted row in batch AZ-1-7"))),
        (vec![content(0, "z"), content(1, "a")], Some((0, "AZ: no posted row in batch AZ-1-7", "TX: z"))),
    ] {
        let found = first_difference(&differing, &az, &tx);
        let found = found.map(|finding| (finding.key, finding.expected, finding.found));
        let expected = expected.map(|(id, expected, found): (u128, &str, &str)| {
            (uuid::Uuid::from_u128(id).to_string(), expected.to_owned(), found.to_owned())
        });
        assert_eq!(found, expected);
    }
}
