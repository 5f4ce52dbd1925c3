//! Files and what is wrong in them, as tables.

use super::*;

const GOOD_CUSTOMERS: &str = "ref,branch,name\nC1,AZ,Ada Lovelace\nC2,TX,Mary Jackson\n";
const GOOD_ACCOUNTS: &str = "ref,customer_ref,kind,currency\nA1,C1,checking,USD\nA2,C2,savings,JPY\n";
const GOOD_BALANCES: &str = "account_ref,amount,currency\nA1,10.50,USD\nA2,1000,JPY\n";

fn read_texts(customers: &str, accounts: &str, balances: &str, default: Option<&str>) -> (Lines, Findings) {
    let branches: BTreeSet<BranchCode> = ["AZ", "TX"].iter().map(|code| code.parse().unwrap()).collect();
    let mut findings = Findings::default();
    let (mut customers, mut accounts, mut balances) = (customers.as_bytes(), accounts.as_bytes(), balances.as_bytes());
    let sources = Sources {
        customers: Source { file: "c", input: &mut customers },
        accounts: Some(Source { file: "a", input: &mut accounts }),
        balances: Some(Source { file: "b", input: &mut balances }),
    };
    let default = default.map(|code| code.parse().unwrap());
    let lines = read(sources, &branches, default, &mut findings).unwrap();
    (lines, findings)
}

#[test]
fn lines_become_what_is_sent() {
    let accounts = "ref,customer_ref,kind,currency,overdraft_limit\n\
                    A1,C1,checking,USD,500.00\nA2,C2,savings,JPY,0\nA3,C1,savings,USD,\nA4,C1,savings,BHD,0.000\n";
    let balances = "account_ref,amount,currency,reference\nA2,1000,JPY,\nA1,10.50,USD,carried over\n";
    let (lines, findings) = read_texts(GOOD_CUSTOMERS, accounts, balances, None);
    assert_eq!(findings.named(), [""; 0]);
    let customers = lines.customers.iter().map(|line| format!("{} {} {}", line.reference, line.branch, line.name));
    assert_eq!(customers.collect::<Vec<_>>(), ["C1 AZ Ada Lovelace", "C2 TX Mary Jackson"]);
    let accounts = lines.accounts.iter().map(|line| {
        let AccountLine { line, reference, customer, kind, currency, overdraft_limit } = line;
        format!("{line} {reference} {customer} {kind} {currency} {overdraft_limit}")
    });
    assert_eq!(
        accounts.collect::<Vec<_>>(),
        ["2 A1 0 checking USD 50000", "3 A2 1 savings JPY 0", "4 A3 0 savings USD 0", "5 A4 0 savings BHD 0",]
    );
    let balances = lines.balances.iter().map(|line| {
        let reference = line.reference.as_ref().map_or("-", Reference::as_str);
        format!("{} {} {} {reference}", line.line, line.account, line.amount)
    });
    assert_eq!(balances.collect::<Vec<_>>(), ["2 1 1000 -", "3 0 1050 carried over"]);
}

#[test]
fn a_branch_that_is_not_named_is_that_of_the_option() {
    let named = |text: &str| {
        let (lines, findings) = read_texts(text, "ref,customer_ref,kind,currency\n", GOOD_BALANCES, Some("TX"));
        assert!(findings.named().iter().all(|finding| finding.starts_with("b:")), "{findings:?}");
        lines.customers.iter().map(|line| line.branch.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(named("ref,name\nC1,Ada\nC2,Alan\n"), "TX TX");
    assert_eq!(named("ref,branch,name\nC1,AZ,Ada\nC2,,Alan\n"), "AZ TX");
}

#[test]
fn every_wrong_line_of_customers_is_named() {
    for (line, expected) in [
        (",AZ,Ada", "c:2: ref: this field is empty"),
        (
            " C9,AZ,Ada",
            "c:2: ref: one line of 1 to 140 characters, without a space at its ends and without control characters",
        ),
        ("C9,,Ada", "c:2: branch: this field is empty"),
        ("C9,az,Ada", "c:2: branch: a branch code is 2 to 4 capital letters, such as AZ"),
        ("C9,NYC,Ada", "c:2: branch: no branch has the code NYC"),
        ("C9,AZ,", "c:2: name: this field is empty"),
        (
            "C9,AZ, Ada",
            "c:2: name: one line of 1 to 140 characters, without a space at its ends and without control characters",
        ),
        ("C9,AZ", "c:2: this line has 2 fields, the header has 3"),
        ("C9,AZ,\"Ada", "c:2: a quote is not closed on this line"),
    ] {
        let customers = GOOD_CUSTOMERS.replacen("name\n", &format!("name\n{line}\n"), 1);
        let (_, findings) = read_texts(&customers, GOOD_ACCOUNTS, GOOD_BALANCES, None);
        assert_eq!(findings.named(), [expected], "{line}");
    }
    let twice = format!("{GOOD_CUSTOMERS}C1,AZ,Ada Lovelace\n");
    let (_, findings) = read_texts(&twice, GOOD_ACCOUNTS, GOOD_BALANCES, None);
    assert_eq!(findings.named(), ["c:4: ref: line 2 has this ref already"]);
}

#[test]
fn every_wrong_line_of_accounts_is_named() {
    let columns = "ref,customer_ref,kind,currency,overdraft_limit\n";
    let limit = "an amount of USD is digits with exactly 2 decimals, such as 1000.00";
    for (line, expected) in [
        (",C1,checking,USD,", vec!["a:2: ref: this field is empty".to_owned()]),
        ("A9,C9,checking,USD,", vec!["a:2: customer_ref: no line of c has this ref".to_owned()]),
        ("A9,C1,cash,USD,", vec!["a:2: kind: a customer's account is checking or savings".to_owned()]),
        (
            "A9,C1,checking,usd,5",
            vec!["a:2: currency: a currency is a code of ISO 4217 in capitals, such as USD".to_owned()],
        ),
        ("A9,C1,checking,USD,5", vec![format!("a:2: overdraft_limit: {limit}")]),
        ("A9,C1,checking,USD,-5.00", vec![format!("a:2: overdraft_limit: {limit}")]),
        (
            "A9,C9,cash,USD,5",
            vec![
                "a:2: customer_ref: no line of c has this ref".to_owned(),
                "a:2: kind: a customer's account is checking or savings".to_owned(),
                format!("a:2: overdraft_limit: {limit}"),
            ],
        ),
    ] {
        let rest = "A1,C1,checking,USD,\nA2,C2,savings,JPY,\n";
        let (_, findings) = read_texts(GOOD_CUSTOMERS, &format!("{columns}{line}\n{rest}"), GOOD_BALANCES, None);
        assert_eq!(findings.named(), expected, "{line}");
    }
    let twice = format!("{GOOD_ACCOUNTS}\nA2,C2,savings,JPY\n");
    let (_, findings) = read_texts(GOOD_CUSTOMERS, &twice, GOOD_BALANCES, None);
    assert_eq!(findings.named(), ["a:5: ref: line 3 has this ref already"]);
}

#[test]
fn every_wrong_line_of_balances_is_named() {
    let above = "an opening balance is above zero; an account without one has no line";
    let decimals = "an amount of USD is digits with exactly 2 decimals, such as 1000.00";
    for (line, column, rule) in [
        ("A9,1.00,USD", "account_ref", "no line of a has this ref"),
        ("A1,0.00,USD", "amount", above),
        ("A1,0,USD", "amount", decimals),
        ("A1,-1.00,USD", "amount", decimals),
        ("A1,,USD", "amount", "this field is empty"),
        ("A1,1.5,USD", "amount", decimals),
        ("A1,1,USD", "amount", decimals),
        ("A1,\"1,000.00\",USD", "amount", decimals),
        ("A1,1e3,USD", "amount", decimals),
        ("A1,12345678901234567.00,USD", "amount", "an amount of USD is at most 9999999999999999.99"),
        ("A1,1.00,EUR", "currency", "the account is kept in USD, not in EUR"),
        ("A1,1.00,XXX", "currency", "a currency is a code of ISO 4217 in capitals, such as USD"),
        ("A2,1.00,JPY", "amount", "an amount of JPY is digits with exactly 0 decimals, such as 1000"),
    ] {
        let balances = format!("account_ref,amount,currency\n\n{line}\n");
        let (_, findings) = read_texts(GOOD_CUSTOMERS, GOOD_ACCOUNTS, &balances, None);
        assert_eq!(findings.named(), [format!("b:3: {column}: {rule}")], "{line}");
    }
    let twice = format!("{GOOD_BALANCES}A1,3.00,USD\n");
    let (_, findings) = read_texts(GOOD_CUSTOMERS, GOOD_ACCOUNTS, &twice, None);
    assert_eq!(findings.named(), ["b:4: account_ref: line 2 has this account's opening balance already"]);
}

#[test]
fn all_files_are_read_to_their_end_and_nothing_is_said_twice() {
    let customers = "ref,branch,name\nC1,NYC,Ada\nC2,TX,Mary\n";
    let (_, findings) = read_texts(customers, GOOD_ACCOUNTS, "account_ref,amount,currency\nA1,5,USD\n", None);
    let expected = [
        "c:2: branch: no branch has the code NYC",
        "b:2: amount: an amount of USD is digits with exactly 2 decimals, such as 1000.00",
    ];
    assert_eq!(findings.named(), expected, "not that A1 and C1 do not resolve");
}
