//! Which accounts and branches a transfer changes, and its reference.
#![allow(clippy::unwrap_used, missing_docs)]

use nostro_core::{Amount, BranchCode, BranchSet, Operation, Reference, Transfer, TransferId};

fn transfer(operation: Operation, debit: &str, credit: &str) -> Transfer {
    Transfer {
        id: TransferId(uuid::Uuid::nil()),
        operation,
        debit: debit.parse().unwrap(),
        credit: credit.parse().unwrap(),
        amount: Amount::new(1).unwrap(),
        currency: "USD".parse().unwrap(),
        category: 0,
        reference: None,
        link: None,
    }
}

const AZ: &str = "AZ93000000001042";
const OTHER_AZ: &str = "AZ66000000001043";
const TX: &str = "TX25000000001042";

#[test]
fn what_moves_money_changes_both_accounts_and_what_reserves_it_the_debit_account_alone() {
    let hold = Operation::Hold { expires_at: None };
    for (operation, debit, credit, accounts, branches, home, participant) in [
        (Operation::Transfer, AZ, TX, &[AZ, TX][..], &["AZ", "TX"][..], "AZ", Some("TX")),
        (Operation::Transfer, TX, AZ, &[TX, AZ], &["AZ", "TX"], "AZ", Some("TX")),
        (Operation::Transfer, AZ, OTHER_AZ, &[AZ, OTHER_AZ], &["AZ"], "AZ", None),
        (hold, AZ, TX, &[AZ], &["AZ"], "AZ", None),
        (hold, TX, AZ, &[TX], &["TX"], "TX", None),
    ] {
        let transfer = transfer(operation, debit, credit);
        let changed: Vec<String> = transfer.accounts().map(|number| number.to_string()).collect();
        assert_eq!(changed, accounts, "{transfer:?}");
        let code = |text: &str| text.parse::<BranchCode>().unwrap();
        let touched: Vec<BranchCode> =
            ["AZ", "NM", "TX"].into_iter().map(code).filter(|branch| transfer.touches(*branch)).collect();
        let expected: Vec<BranchCode> = branches.iter().copied().map(code).collect();
        assert_eq!(touched, expected, "{transfer:?}");
        let pair = BranchSet::pair(*expected.first().unwrap(), *expected.last().unwrap());
        assert_eq!(transfer.branches(), pair, "{transfer:?}");
        assert_eq!((transfer.home(), transfer.participant()), (code(home), participant.map(code)), "{transfer:?}");
    }
}

#[test]
fn a_reference_is_told_as_it_was_given() {
    let reference = Reference::new("rent, May").unwrap();
    assert_eq!((reference.as_str(), reference.to_string()), ("rent, May", "rent, May".to_owned()));
}
