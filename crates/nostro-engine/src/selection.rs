//! Lists with a filter: the rows that it selects, page by page, with bounded work for each page.
//!
//! A filter has no index (`nostro_store::filtered` says why), so the account's own rows are looked at in the order of the
//! list. A page looks at [`LOOKED_AT_MAX`] of them at most, and then ends short of its limit with a place to go on from:
//! a rare row in a long history takes several pages, and none of them takes long.

use crate::bank::Bank;
use crate::reading::known;
use crate::register::{Page, ReadError};
use nostro_core::{Account, AccountNumber, Bounds, Entry, EntryFilter, Hold, HoldFilter, Timestamp};
use nostro_store::filtered::{self, Look, Looked};
use nostro_store::{past, read};

/// A page looks at no more of the account's rows: about a tenth of a second of the database's time.
pub const LOOKED_AT_MAX: i64 = 10_000;
/// One question looks at no more: what is wanted is often near, and other look-ups come in between.
const LOOKED_AT_A_TIME: i32 = 1_000;

/// A page of what a filter selects.
#[derive(Clone, Debug)]
pub struct Selection<T> {
    /// Newest first; fewer than the limit if it is the end, or enough rows were looked at.
    pub rows: Vec<T>,
    /// Rows below this key are the next page's; none are left if it is absent.
    pub next: Option<i64>,
}

/// A page while it is looked for.
struct Search<T> {
    limit: usize,
    from: Option<Timestamp>,
    before: i64,
    looked_at: i64,
    found: Vec<(i64, T)>,
}

impl<T> Search<T> {
    fn new(page: Page, bounds: &Bounds) -> Self {
        Self {
            limit: usize::from(page.limit),
            from: bounds.from,
            before: page.before.unwrap_or(i64::MAX),
            looked_at: 0,
            found: Vec::new(),
        }
    }

    /// One row more than the page has is wanted: it tells that there is a next page.
    fn look(&self) -> Look {
        let wanted = (self.limit + 1).saturating_sub(self.found.len());
        Look { before: self.before, rows_max: LOOKED_AT_A_TIME, wanted_max: i64::try_from(wanted).unwrap_or(i64::MAX) }
    }

    /// Takes what was found; the page, once it is whole.
    fn take(&mut self, looked: Looked<T>) -> Option<Selection<T>> {
        self.found.extend(looked.rows);
        self.looked_at += looked.looked_at;
        if self.found.len() > self.limit {
            self.found.truncate(self.limit);
            return Some(self.page(self.found.last().map(|(key, _)| *key)));
        }
        let is_before_all = looked.earliest.zip(self.from).is_some_and(|(earliest, from)| earliest < from);
        match looked.lowest {
            Some(lowest) if looked.looked_at >= i64::from(LOOKED_AT_A_TIME) && lowest > 1 && !is_before_all => {
                self.before = lowest;
                (self.looked_at >= LOOKED_AT_MAX).then(|| self.page(Some(lowest)))
            }
            // The first row of all, the archive, or nothing that is late enough.
            Some(_) | None => Some(self.page(None)),
        }
    }

    fn page(&mut self, next: Option<i64>) -> Selection<T> {
        Selection { rows: std::mem::take(&mut self.found).into_iter().map(|(_, row)| row).collect(), next }
    }
}

/// An account and those of its entries that are wanted, newest first; `None` if there is no such account.
pub(crate) async fn entries(
    bank: &Bank,
    number: AccountNumber,
    page: Page,
    filter: &EntryFilter,
) -> Result<Option<(Account, Selection<Entry>)>, ReadError> {
    let Some(account) = account(bank, number).await? else { return Ok(None) };
    let branch = known(bank, number.branch())?.config.branch;
    let mut search = Search::new(page, &filter.bounds);
    if let (None, Some(to)) = (page.before, filter.bounds.to) {
        search.before = below(bank, number, to).await?;
    }
    loop {
        let lease = bank.reader(branch.code).await?;
        let client = lease.client();
        let key = number.key(branch.number);
        let question = filtered::entries(&client, &bank.directory, &bank.numbers, key, search.look(), filter);
        let looked = bank.ask(branch.code, lease, question).await?;
        if let Some(selection) = search.take(looked) {
            return Ok(Some((account, selection)));
        }
    }
}

/// Those of the holds at an account that are wanted, newest first; `None` if there is no such account.
pub(crate) async fn holds(
    bank: &Bank,
    number: AccountNumber,
    page: Page,
    filter: &HoldFilter,
) -> Result<Option<Selection<Hold>>, ReadError> {
    if account(bank, number).await?.is_none() {
        return Ok(None);
    }
    let branch = known(bank, number.branch())?.config.branch;
    let mut search = Search::new(page, &filter.bounds);
    loop {
        let lease = bank.reader(branch.code).await?;
        let client = lease.client();
        let key = number.key(branch.number);
        let question = filtered::holds(&client, &bank.directory, &bank.numbers, key, search.look(), filter);
        let looked = bank.ask(branch.code, lease, question).await?;
        if let Some(selection) = search.take(looked) {
            return Ok(Some(selection));
        }
    }
}

async fn account(bank: &Bank, number: AccountNumber) -> Result<Option<Account>, ReadError> {
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let (client, statements) = (lease.client(), lease.session.statements.clone());
    let account = [number];
    let found = bank.ask(branch.code, lease, read::find_accounts(&client, &statements, branch, &account)).await?;
    Ok(found.into_iter().next())
}

/// The sequence number below which the lines before an instant are, so that those behind it are not looked at.
async fn below(bank: &Bank, number: AccountNumber, instant: Timestamp) -> Result<i64, ReadError> {
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let last = Timestamp::from_micros(instant.micros().saturating_sub(1));
    let standing = bank.ask(branch.code, lease, past::as_of(&client, branch, number, last)).await?;
    // What cannot be told because of the archive is found by looking.
    Ok(standing.map_or(i64::MAX, |standing| standing.seq.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look at as many rows as one may, of which those with these keys are wanted.
    fn full(search: &Search<i64>, keys: &[i64], lowest: i64) -> Looked<i64> {
        let wanted = usize::try_from(search.look().wanted_max).unwrap();
        Looked {
            rows: keys.iter().take(wanted).map(|key| (*key, *key)).collect(),
            looked_at: i64::from(LOOKED_AT_A_TIME),
            lowest: Some(lowest),
            earliest: Some(Timestamp::from_micros(lowest)),
        }
    }

    fn search(limit: u16, from: Option<i64>) -> Search<i64> {
        let bounds = Bounds { from: from.map(Timestamp::from_micros), ..Bounds::default() };
        Search::new(Page { limit, before: None }, &bounds)
    }

    fn told(selection: Option<Selection<i64>>) -> Option<(Vec<i64>, Option<i64>)> {
        selection.map(|selection| (selection.rows, selection.next))
    }

    #[test]
    fn a_page_ends_with_its_last_row_if_there_is_another_one() {
        let mut page = search(2, None);
        let looked = full(&page, &[9_900, 9_700, 9_500, 9_300], 9_001);
        assert_eq!(looked.rows.len(), 3, "one more than the page has");
        assert_eq!(told(page.take(looked)), Some((vec![9_900, 9_700], Some(9_700))));
    }

    #[test]
    fn what_one_look_does_not_find_the_next_one_does() {
        let mut page = search(2, None);
        let looked = full(&page, &[9_900], 9_001);
        assert!(page.take(looked).is_none());
        assert_eq!((page.look().before, page.look().wanted_max), (9_001, 2));
        let looked = full(&page, &[8_500, 8_400], 8_001);
        assert_eq!(told(page.take(looked)), Some((vec![9_900, 8_500], Some(8_500))));
    }

    #[test]
    fn a_page_looks_at_a_bounded_number_of_rows_and_says_where_to_go_on() {
        let mut page = search(2, None);
        let mut looks = 0;
        let ended = loop {
            looks += 1;
            let looked = full(&page, &[], 1_000_000 - 1_000 * looks);
            if let Some(selection) = page.take(looked) {
                break selection;
            }
        };
        assert_eq!(looks * i64::from(LOOKED_AT_A_TIME), LOOKED_AT_MAX);
        assert_eq!((ended.rows, ended.next), (Vec::new(), Some(990_000)));
    }

    #[test]
    fn the_list_ends_at_the_first_row_at_the_archive_and_where_all_is_earlier() {
        let mut page = search(2, None);
        let looked = full(&page, &[5], 1);
        assert_eq!(told(page.take(looked)), Some((vec![5], None)), "the first row of all");
        let mut page = search(2, None);
        let looked = Looked { looked_at: 999, ..full(&page, &[5_000], 4_002) };
        assert_eq!(told(page.take(looked)), Some((vec![5_000], None)), "no more rows");
        let nothing = Looked { rows: Vec::new(), looked_at: 0, lowest: None, earliest: None };
        assert_eq!(told(search(2, None).take(nothing)), Some((Vec::new(), None)));
        let mut page = search(2, Some(4_001));
        let looked = full(&page, &[4_500], 4_000);
        assert_eq!(told(page.take(looked)), Some((vec![4_500], None)), "what is below is earlier still");
        let mut page = search(2, Some(4_000));
        let looked = full(&page, &[4_500], 4_000);
        assert!(page.take(looked).is_none(), "there may be more of that instant");
    }
}
