//! The partitions of `transfer`. Which one an id belongs to is told by the id ([`nostro_core::Period`]).

use nostro_core::Period;
use tokio_postgres::{Client, Error};

/// Makes the partition of a period, if it neither is there nor was. It waits for no batch, and no batch for it.
pub async fn make(client: &Client, period: Period) -> Result<(), Error> {
    client.execute("select make_transfer_period($1)", &[&period.as_i32()]).await.map(|_| ())
}
