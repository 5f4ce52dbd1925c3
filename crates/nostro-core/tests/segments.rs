//! Segments against entries laid one by one: whatever way the entries are cut into partitions, right ones tile and any
//! single change is found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nostro_core::finding::{Findings, Rule};
use nostro_core::segments::{AccountFigures, Segment, Tiling, account_name};
use nostro_core::{BranchNumber, Period, Timestamp, TransferId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

/// AZ93000000001042.
const KEY: i64 = 1_000_000_001_042;

#[derive(Clone, Copy, Debug)]
struct Line {
    seq: i64,
    change: i64,
    after: i64,
    previous: Option<TransferId>,
    id: TransferId,
    at: i64,
    partition: usize,
}

/// An id of November 2024, so that a month is named by it.
fn id(number: i64) -> TransferId {
    let number = u128::try_from(number).unwrap();
    TransferId(Uuid::from_u128("0193556a-6e00-7000-8000-000000000000".parse::<Uuid>().unwrap().as_u128() + number))
}

fn history(changes: &[(i64, usize)]) -> Vec<Line> {
    let mut after = 0;
    (1..)
        .zip(changes)
        .map(|(seq, (change, partition))| {
            after += change;
            let previous = (seq > 1).then(|| id(seq - 1));
            // Two and two are of one batch.
            Line { seq, change: *change, after, previous, id: id(seq), at: seq / 2, partition: *partition }
        })
        .collect()
}

fn figures(lines: &[Line]) -> AccountFigures {
    AccountFigures {
        balance: lines.last().map_or(0, |line| line.after),
        seq: lines.last().map_or(0, |line| line.seq),
        last_transfer: lines.last().map(|line| line.id),
    }
}

/// As the SQL joins them: within a partition, by number and id.
fn segments(lines: &[Line]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for partition in 0..4 {
        let mut inside: Vec<&Line> = lines.iter().filter(|line| line.partition == partition).collect();
        inside.sort_by_key(|line| (line.seq, line.id));
        let mut last: Option<&Line> = None;
        for line in inside {
            let follows = last.is_some_and(|last| {
                last.seq == line.seq - 1
                    && last.after + line.change == line.after
                    && line.previous == Some(last.id)
                    && last.at <= line.at
            });
            if follows {
                let segment = segments.last_mut().unwrap();
                segment.last_seq = line.seq;
                segment.balance_after = line.after;
                segment.last_transfer = line.id;
                segment.last_posted_at = Timestamp::from_micros(line.at);
            } else {
                segments.push(Segment {
                    first_seq: line.seq,
                    last_seq: line.seq,
                    balance_before: i128::from(line.after) - i128::from(line.change),
                    balance_after: line.after,
                    first_transfer: line.id,
                    first_previous: line.previous,
                    last_transfer: line.id,
                    first_posted_at: Timestamp::from_micros(line.at),
                    last_posted_at: Timestamp::from_micros(line.at),
                });
            }
            last = Some(line);
        }
    }
    segments.sort_by_key(|segment| (segment.first_seq, segment.first_transfer));
    segments
}

fn judged(figures: Option<AccountFigures>, lines: &[Line], archived: &[i32]) -> (Vec<Rule>, u64) {
    let archived: BTreeSet<Period> = archived.iter().map(|period| Period::from_i32(*period)).collect();
    let mut tiling = Tiling::new("AZ".parse().unwrap(), BranchNumber::new(1).unwrap(), archived);
    let mut findings = Findings::default();
    let segments = segments(lines);
    if segments.is_empty() {
        tiling.lay(KEY, figures, None, &mut findings);
    }
    for segment in segments {
        tiling.lay(KEY, figures, Some(segment), &mut findings);
    }
    tiling.end(&mut findings);
    assert_eq!(tiling.accounts(), 1);
    (findings.named().map(|(finding, _)| finding.rule).collect(), tiling.entries())
}

/// What may be wrong with a history.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Amount(i64),
    After(i64),
    Seq(i64),
    Previous,
    Earlier,
    Deleted,
    Twice,
    Balance(i64),
    AccountSeq(i64),
    LastTransfer,
}

fn damage() -> impl Strategy<Value = Damage> {
    let other = prop_oneof![1_i64..100, -100_i64..0];
    prop_oneof![
        other.clone().prop_map(Damage::Amount),
        other.clone().prop_map(Damage::After),
        other.clone().prop_map(Damage::Seq),
        Just(Damage::Previous),
        Just(Damage::Earlier),
        Just(Damage::Deleted),
        Just(Damage::Twice),
        other.clone().prop_map(Damage::Balance),
        other.prop_map(Damage::AccountSeq),
        Just(Damage::LastTransfer),
    ]
}

proptest! {
    #[test]
    fn a_right_history_tiles_whatever_its_partitions(changes in prop::collection::vec((-50_i64..50, 0_usize..4), 0..60)) {
        let lines = history(&changes);
        let (rules, entries) = judged(Some(figures(&lines)), &lines, &[]);
        prop_assert_eq!(rules, Vec::<Rule>::new());
        prop_assert_eq!(usize::try_from(entries).unwrap(), lines.len());
    }

    #[test]
    fn any_single_change_is_found(
        changes in prop::collection::vec((1_i64..50, 0_usize..4), 1..60),
        at in 0_usize..60,
        damage in damage(),
    ) {
        let mut lines = history(&changes);
        let mut account = figures(&lines);
        let at = at % lines.len();
        match damage {
            Damage::Amount(more) => lines[at].change += more,
            Damage::After(more) => lines[at].after += more,
            Damage::Seq(more) => lines[at].seq += more,
            Damage::Previous => lines[at].previous = Some(id(1_000)),
            Damage::Earlier => {
                prop_assume!(at > 0);
                lines[at].at = lines[at - 1].at - 1;
            }
            Damage::Deleted => {
                lines.remove(at);
            }
            Damage::Twice => lines.push(Line { id: id(2_000), ..lines[at] }),
            Damage::Balance(more) => account.balance += more,
            Damage::AccountSeq(more) => account.seq += more,
            Damage::LastTransfer => account.last_transfer = Some(id(3_000)),
        }
        let (rules, _) = judged(Some(account), &lines, &[]);
        prop_assert!(!rules.is_empty(), "{:?} at {} of {:?}", damage, at, lines);
    }

    #[test]
    fn an_archived_month_leaves_holes_that_are_no_findings(
        changes in prop::collection::vec((-50_i64..50, 0_usize..4), 1..60),
        archived in 0_usize..4,
    ) {
        let all = history(&changes);
        let lines: Vec<Line> = all.iter().copied().filter(|line| line.partition != archived).collect();
        let (rules, _) = judged(Some(figures(&all)), &lines, &[202_411]);
        prop_assert_eq!(rules, Vec::<Rule>::new());
        if lines.len() < all.len() {
            let (rules, _) = judged(Some(figures(&all)), &lines, &[202_412]);
            prop_assert!(!rules.is_empty(), "another month explains nothing");
        }
    }
}

#[test]
fn each_damage_is_found_under_its_own_rule() {
    let lines = history(&[(100, 0), (-30, 1), (5, 0), (7, 0)]);
    let account = figures(&lines);
    let with = |change: &dyn Fn(&mut Vec<Line>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        judged(Some(account), &lines, &[]).0
    };
    assert_eq!(with(&|_| ()), Vec::<Rule>::new());
    assert_eq!(with(&|lines| lines[1].change -= 1), [Rule::EntryBalance, Rule::AccountBalance]);
    assert_eq!(with(&|lines| lines[1].after += 1), [Rule::EntryBalance, Rule::EntryBalance]);
    assert_eq!(with(&|lines| lines[2].previous = None), [Rule::EntryPrevious]);
    assert_eq!(with(&|lines| lines[1].at = -1), [Rule::EntryTime]);
    assert_eq!(with(&|lines| lines[2].at = 9), [Rule::EntryTime], "the one after it is earlier");
    let without_the_third = with(&|lines| {
        lines.remove(2);
    });
    assert_eq!(without_the_third, [Rule::EntryNumber, Rule::AccountBalance]);
    let without_the_last = with(&|lines| {
        lines.pop();
    });
    assert_eq!(without_the_last, [Rule::AccountNumber, Rule::AccountBalance, Rule::AccountLastTransfer]);
    assert_eq!(judged(None, &lines, &[]).0, [Rule::EntryAccount]);
    let wrong = |account| judged(Some(account), &lines, &[]).0;
    assert_eq!(wrong(AccountFigures { balance: 83, ..account }), [Rule::AccountBalance]);
    assert_eq!(wrong(AccountFigures { seq: 5, ..account }), [Rule::AccountNumber]);
    assert_eq!(wrong(AccountFigures { last_transfer: None, ..account }), [Rule::AccountLastTransfer]);
}

#[test]
fn times_do_not_run_backwards_over_a_month_in_the_archive() {
    let mut lines = history(&[(100, 0), (-30, 1), (5, 2), (7, 2)]);
    let account = figures(&lines);
    lines.remove(1);
    assert_eq!(judged(Some(account), &lines, &[202_411]).0, Vec::<Rule>::new());
    lines[0].at = 9;
    assert_eq!(judged(Some(account), &lines, &[202_411]).0, [Rule::EntryTime]);
}

/// Where no number is missing nothing is in the archive, and what is there is held against the account.
#[test]
fn a_month_in_the_archive_excuses_nothing_where_no_number_is_missing() {
    let lines = history(&[(100, 0), (-30, 1), (5, 0), (7, 0)]);
    let account = figures(&lines);
    let archived = |account, lines: &[Line]| judged(Some(account), lines, &[202_411]).0;
    assert_eq!(archived(account, &lines), Vec::<Rule>::new());
    assert_eq!(archived(AccountFigures { balance: 83, ..account }, &lines), [Rule::AccountBalance]);
    let mut other = lines.clone();
    other[1].change -= 1;
    assert_eq!(archived(account, &other), [Rule::EntryBalance, Rule::AccountBalance]);
}

#[test]
fn accounts_are_counted_once_each_however_many_segments_they_have() {
    let lines = history(&[(100, 0), (-30, 1), (5, 0)]);
    let mut tiling = Tiling::new("AZ".parse().unwrap(), BranchNumber::new(1).unwrap(), BTreeSet::new());
    let mut findings = Findings::default();
    for (key, lines) in [(KEY, &lines[..]), (KEY + 1, &lines[..1])] {
        for segment in segments(lines) {
            tiling.lay(key, Some(figures(lines)), Some(segment), &mut findings);
        }
    }
    tiling.end(&mut findings);
    assert_eq!((tiling.accounts(), tiling.entries(), findings.named().count()), (2, 4, 0));
}

#[test]
fn findings_name_accounts_by_number_and_transfers_by_id_and_say_where_there_is_none() {
    let (az, one) = ("AZ".parse().unwrap(), BranchNumber::new(1).unwrap());
    assert_eq!(account_name(az, one, KEY), "AZ93000000001042");
    // No account of this branch: of another one, and of a customer's key.
    assert_eq!(account_name(az, one, 2_000_000_001_042), "2000000001042");
    assert_eq!(account_name(az, one, 1_000_000_000_000), "1000000000000");

    let lines = history(&[(100, 0), (-30, 1)]);
    let mut tiling = Tiling::new(az, one, BTreeSet::new());
    let mut findings = Findings::default();
    let account = AccountFigures { last_transfer: None, ..figures(&lines) };
    for segment in segments(&lines) {
        tiling.lay(KEY, Some(account), Some(segment), &mut findings);
    }
    tiling.end(&mut findings);
    let told: Vec<_> = findings.named().map(|(finding, _)| finding).collect();
    let [finding] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(finding.key, "AZ93000000001042");
    assert_eq!(
        (finding.expected.clone(), finding.found.as_str()),
        (format!("last transfer {}", id(2)), "last transfer none")
    );
}
