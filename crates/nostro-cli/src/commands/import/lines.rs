//! The lines of an import as the types of the bank, checked by every rule that a file can be held to by itself.
//!
//! Customers are read before accounts and accounts before balances, so that refs are resolved as they are met. A line
//! takes some hundred bytes of memory; the files are read once, so that what is sent is what was checked.

use super::findings::Findings;
use super::records::{Columns, Records, Row};
use nostro_core::currency::MajorUnitsError;
use nostro_core::line::one_line;
use nostro_core::{AccountKind, Amount, Balance, BranchCode, Currency, Name, Reference};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead};

const CUSTOMERS: Columns = Columns { required: &["ref", "branch", "name"], optional: &[] };
/// Where `--branch` names one.
const CUSTOMERS_OF_A_BRANCH: Columns = Columns { required: &["ref", "name"], optional: &["branch"] };
const ACCOUNTS: Columns =
    Columns { required: &["ref", "customer_ref", "kind", "currency"], optional: &["overdraft_limit"] };
const BALANCES: Columns = Columns { required: &["account_ref", "amount", "currency"], optional: &["reference"] };

/// A file by its name and its bytes.
pub(super) struct Source<'a> {
    /// As it was named, for what is told of its lines.
    pub(super) file: &'a str,
    /// What is in it.
    pub(super) input: &'a mut dyn BufRead,
}

/// The files of an import.
pub(super) struct Sources<'a> {
    pub(super) customers: Source<'a>,
    pub(super) accounts: Option<Source<'a>>,
    pub(super) balances: Option<Source<'a>>,
}

/// All lines of an import.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) customers: Vec<CustomerLine>,
    pub(super) accounts: Vec<AccountLine>,
    pub(super) balances: Vec<BalanceLine>,
    pub(super) customers_file: String,
    pub(super) accounts_file: String,
    pub(super) balances_file: String,
}

/// A customer to be made.
#[derive(Debug)]
pub(super) struct CustomerLine {
    pub(super) line: u64,
    pub(super) reference: Box<str>,
    pub(super) branch: BranchCode,
    pub(super) name: Name,
}

/// An account to be opened.
#[derive(Debug)]
pub(super) struct AccountLine {
    pub(super) line: u64,
    pub(super) reference: Box<str>,
    /// The place of its customer in [`Lines::customers`].
    pub(super) customer: usize,
    pub(super) kind: AccountKind,
    pub(super) currency: Currency,
    pub(super) overdraft_limit: Balance,
}

/// An opening balance to be booked.
#[derive(Debug)]
pub(super) struct BalanceLine {
    pub(super) line: u64,
    /// The place of its account in [`Lines::accounts`].
    pub(super) account: usize,
    pub(super) amount: Amount,
    pub(super) reference: Option<Reference>,
}

/// The refs of a file.
#[derive(Default)]
struct Refs(HashMap<Box<str>, Standing>);

/// Where a ref stands.
struct Standing {
    line: u64,
    /// The place of its line; absent if the line is wrong otherwise, so that nothing more is said of what names it.
    at: Option<usize>,
}

impl Refs {
    /// Notes the ref of a row; `false`, and a finding, if another line has it.
    fn claim(&mut self, row: &mut Row<'_>, reference: &str, at: Option<usize>) -> bool {
        if let Some(earlier) = self.0.get(reference) {
            row.push("ref", &format!("line {} has this ref already", earlier.line));
            return false;
        }
        self.0.insert(reference.into(), Standing { line: row.line(), at });
        true
    }

    fn find(&self, reference: &str, file: &str) -> Result<Option<usize>, String> {
        self.0.get(reference).map(|standing| standing.at).ok_or_else(|| format!("no line of {file} has this ref"))
    }
}

/// Reads all files. `default` is the branch of customers whose line names none.
pub(super) fn read(
    sources: Sources<'_>,
    branches: &BTreeSet<BranchCode>,
    default: Option<BranchCode>,
    findings: &mut Findings,
) -> io::Result<Lines> {
    let mut lines = Lines { customers_file: sources.customers.file.to_owned(), ..Lines::default() };
    let customers = read_customers(&mut lines, sources.customers, branches, default, findings)?;
    let Some(source) = sources.accounts else { return Ok(lines) };
    source.file.clone_into(&mut lines.accounts_file);
    let accounts = read_accounts(&mut lines, source, &customers, findings)?;
    let Some(source) = sources.balances else { return Ok(lines) };
    source.file.clone_into(&mut lines.balances_file);
    read_balances(&mut lines, source, &accounts, findings)?;
    Ok(lines)
}

fn read_customers(
    lines: &mut Lines,
    Source { file, input }: Source<'_>,
    branches: &BTreeSet<BranchCode>,
    default: Option<BranchCode>,
    findings: &mut Findings,
) -> io::Result<Refs> {
    let mut refs = Refs::default();
    let columns = if default.is_some() { CUSTOMERS_OF_A_BRANCH } else { CUSTOMERS };
    let Some(mut records) = Records::open(file, input, columns, findings)? else { return Ok(refs) };
    while let Some(mut row) = records.next_row(findings)? {
        let reference = row.required("ref", one_line);
        let branch = match default {
            Some(default) => row.optional("branch", default, |text| branch(text, branches)),
            None => row.required("branch", |text| branch(text, branches)),
        };
        let name = row.required("name", Name::new);
        let Some(reference) = reference else { continue };
        let rest = branch.zip(name);
        if !refs.claim(&mut row, &reference, rest.as_ref().map(|_| lines.customers.len())) {
            continue;
        }
        if let Some((branch, name)) = rest {
            lines.customers.push(CustomerLine { line: row.line(), reference, branch, name });
        }
    }
    Ok(refs)
}

fn read_accounts(
    lines: &mut Lines,
    Source { file, input }: Source<'_>,
    customers: &Refs,
    findings: &mut Findings,
) -> io::Result<Refs> {
    let mut refs = Refs::default();
    let Some(mut records) = Records::open(file, input, ACCOUNTS, findings)? else { return Ok(refs) };
    while let Some(mut row) = records.next_row(findings)? {
        let reference = row.required("ref", one_line);
        let customer = row.required("customer_ref", |text| customers.find(text, &lines.customers_file)).flatten();
        let kind = row.required("kind", AccountKind::of_customers);
        let currency = row.required("currency", str::parse::<Currency>);
        // How many decimals a limit has is known by its currency only.
        let limit =
            currency.and_then(|currency| row.optional("overdraft_limit", Balance::ZERO, |text| limit(currency, text)));
        let Some(reference) = reference else { continue };
        let rest = customer.zip(kind).zip(currency.zip(limit));
        if !refs.claim(&mut row, &reference, rest.map(|_| lines.accounts.len())) {
            continue;
        }
        if let Some(((customer, kind), (currency, overdraft_limit))) = rest {
            let line = row.line();
            lines.accounts.push(AccountLine { line, reference, customer, kind, currency, overdraft_limit });
        }
    }
    Ok(refs)
}

fn read_balances(
    lines: &mut Lines,
    Source { file, input }: Source<'_>,
    accounts: &Refs,
    findings: &mut Findings,
) -> io::Result<()> {
    let Some(mut records) = Records::open(file, input, BALANCES, findings)? else { return Ok(()) };
    // By the place of the account: the line that has its opening balance.
    let mut booked: Vec<Option<u64>> = vec![None; lines.accounts.len()];
    while let Some(mut row) = records.next_row(findings)? {
        let found = row.required("account_ref", |text| accounts.find(text, &lines.accounts_file)).flatten();
        let currency = row.required("currency", str::parse::<Currency>);
        let amount = currency.and_then(|currency| row.required("amount", |text| amount(currency, text)));
        let reference = row.optional("reference", None, |text| Reference::new(text).map(Some));
        let Some(account) = found else { continue };
        if let Some(earlier) = booked[account].replace(row.line()) {
            row.push("account_ref", &format!("line {earlier} has this account's opening balance already"));
            continue;
        }
        let kept = lines.accounts[account].currency;
        if let Some(currency) = currency.filter(|currency| *currency != kept) {
            row.push("currency", &format!("the account is kept in {kept}, not in {currency}"));
            continue;
        }
        if let Some((amount, reference)) = amount.zip(reference) {
            lines.balances.push(BalanceLine { line: row.line(), account, amount, reference });
        }
    }
    Ok(())
}

fn branch(text: &str, branches: &BTreeSet<BranchCode>) -> Result<BranchCode, String> {
    let code = text.parse::<BranchCode>().map_err(|error| error.to_string())?;
    if branches.contains(&code) { Ok(code) } else { Err(format!("no branch has the code {code}")) }
}

/// An opening balance in major units.
fn amount(currency: Currency, text: &str) -> Result<Amount, String> {
    currency.parse_major_units(text).map_err(|error| match error {
        MajorUnitsError::Zero => "an opening balance is above zero; an account without one has no line".to_owned(),
        MajorUnitsError::Form { .. } | MajorUnitsError::TooLarge(_) => error.to_string(),
    })
}

/// An overdraft limit in major units, zero or more.
fn limit(currency: Currency, text: &str) -> Result<Balance, String> {
    currency.parse_limit(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
