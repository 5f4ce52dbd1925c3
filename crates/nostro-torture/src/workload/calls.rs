//! Requests that are sent as one, and what their answers say, written into the history.

use super::requests::{linked, multi_leg, operation, plain};
use super::shown::{Asked, answer, item_answers, leg_answers};
use crate::history::{Answer, Cause, Recorder, Shape, Unit};
use nostro_client::{BulkOperation, BulkOrder, Client, ClientError, Outcome, TransferRequest};
use std::time::Duration;
use tokio::time::timeout;

/// Sends a request or a chain; an answer for each request of it.
pub(super) async fn send(
    client: &Client,
    recorder: &Recorder,
    unit: Unit,
    server: usize,
    patience: Duration,
) -> Vec<Answer> {
    let items = recorder.items(unit);
    let asked = asked(recorder, &items);
    let places = recorder.invoke(&items, server);
    let sending = async {
        match unit {
            Unit::Request(..) => vec![answer(single(client, operation(&asked[0])).await, &asked[0])],
            Unit::Chain(at) => chain(client, recorder.chain(at).shape, &asked).await,
        }
    };
    // In a box, as there are many ways.
    let answers = timeout(patience, Box::pin(sending)).await.unwrap_or_else(|_| hung_up(items.len()));
    recorder.complete(&places, &answers);
    answers
}

/// Sends many in one request; an answer for each request of them, in their order. Chains among them have two links or
/// more.
pub(super) async fn send_bulk(
    client: &Client,
    recorder: &Recorder,
    units: &[Unit],
    server: usize,
    patience: Duration,
) -> Vec<Answer> {
    let parts: Vec<Vec<(usize, u8)>> = units.iter().map(|unit| recorder.items(*unit)).collect();
    let items = parts.concat();
    let asked = asked(recorder, &items);
    let places = recorder.invoke(&items, server);
    let sending = async {
        let transfers: Option<Vec<TransferRequest>> = asked.iter().map(plain).collect();
        let results = match transfers {
            Some(transfers) => client.transfers_bulk(&transfers).await,
            None => client.bulk(&orders(&parts, &asked)).await,
        };
        item_answers(results, &asked)
    };
    // In a box, as there are many ways.
    let answers = timeout(patience, Box::pin(sending)).await.unwrap_or_else(|_| hung_up(items.len()));
    recorder.complete(&places, &answers);
    answers
}

fn asked(recorder: &Recorder, items: &[(usize, u8)]) -> Vec<Asked> {
    items.iter().map(|(sent, content)| recorder.request(*sent, *content)).collect()
}

fn hung_up(requests: usize) -> Vec<Answer> {
    vec![Answer::Indeterminate(Cause::HungUp); requests]
}

/// The items of a bulk, of which those of a part are linked.
fn orders(parts: &[Vec<(usize, u8)>], asked: &[Asked]) -> Vec<BulkOrder> {
    let mut rest = asked;
    let mut orders = Vec::with_capacity(asked.len());
    for part in parts {
        let (now, later) = rest.split_at(part.len());
        orders.extend(linked(now));
        rest = later;
    }
    orders
}

async fn chain(client: &Client, shape: Shape, asked: &[Asked]) -> Vec<Answer> {
    match shape {
        Shape::Linked => {
            let orders: Vec<BulkOrder> = linked(asked).collect();
            item_answers(client.bulk(&orders).await, asked)
        }
        Shape::Atomic => {
            let orders: Vec<BulkOrder> = asked.iter().map(|link| operation(link).into()).collect();
            item_answers(client.atomic_bulk(&orders).await, asked)
        }
        Shape::MultiLeg => leg_answers(client.multi_leg(&multi_leg(asked)).await, asked),
    }
}

async fn single(client: &Client, operation: BulkOperation) -> Result<Outcome, ClientError> {
    match operation {
        BulkOperation::Transfer(request) => client.transfer(&request).await,
        BulkOperation::Deposit(request) => client.deposit(&request).await,
        BulkOperation::Withdrawal(request) => client.withdraw(&request).await,
        BulkOperation::Hold(request) => client.place_hold(&request).await,
        BulkOperation::Capture { hold, request } => client.capture_hold(hold, None, &request).await,
        BulkOperation::Release { hold, request } => client.release_hold(hold, None, &request).await,
        BulkOperation::Reversal { original, request } => client.reverse(original, None, &request).await,
    }
}
