//! Lists whole, or their first rows, page after page.
//!
//! A page may be shorter than its limit, even empty, and not the last: only a missing cursor ends a list.

use crate::client::Page;
use crate::outcome::ClientError;
use crate::view::Listing;

/// Rows that one request brings at most.
pub const PAGE_ROWS_MAX: u16 = 200;

/// All rows of a list; `ask` asks for one page of it.
pub async fn all<T, F>(ask: impl FnMut(Page) -> F) -> Result<Vec<T>, ClientError>
where
    F: Future<Output = Result<Listing<T>, ClientError>>,
{
    first(usize::MAX, ask).await
}

/// The first rows of a list, 1 to `rows_max` of them or none if it is empty; `ask` asks for one page of it.
pub async fn first<T, F>(rows_max: usize, mut ask: impl FnMut(Page) -> F) -> Result<Vec<T>, ClientError>
where
    F: Future<Output = Result<Listing<T>, ClientError>>,
{
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let left = rows_max.saturating_sub(rows.len()).max(1);
        let limit = u16::try_from(left).map_or(PAGE_ROWS_MAX, |left| left.min(PAGE_ROWS_MAX));
        let listing = ask(Page { limit: Some(limit), cursor }).await?;
        rows.extend(listing.data);
        cursor = listing.next_cursor;
        if cursor.is_none() || rows.len() >= rows_max {
            rows.truncate(rows_max);
            return Ok(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of the numbers below 500. Every other page is empty; the rest are as long as was asked for, or shorter.
    async fn page(page: Page) -> Result<Listing<u16>, ClientError> {
        let (from, is_empty): (u16, bool) = match page.cursor {
            None => (0, false),
            Some(cursor) => (cursor.trim_end_matches('-').parse().unwrap(), cursor.ends_with('-')),
        };
        if is_empty {
            return Ok(Listing { data: Vec::new(), next_cursor: Some(from.to_string()) });
        }
        let to = 500_u16.min(from + page.limit.unwrap().min(150));
        Ok(Listing { data: (from..to).collect(), next_cursor: (to < 500).then(|| format!("{to}-")) })
    }

    #[tokio::test]
    async fn a_list_goes_on_until_there_is_no_cursor_and_first_rows_until_there_are_enough() {
        let whole: Vec<u16> = (0..500).collect();
        assert_eq!(all(page).await.unwrap(), whole);
        for rows_max in [1, 149, 150, 151, 300, 499, 500, 501] {
            assert_eq!(first(rows_max, page).await.unwrap(), whole[..rows_max.min(500)], "{rows_max}");
        }
    }
}
