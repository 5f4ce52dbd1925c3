//! What a case asks for, and what every branch must have of it.

use crate::point::Scene;
use nostro_client::{
    BulkItem, BulkOperation, BulkOrder, CaptureRequest, Client, ClientError, HoldRequest, ReleaseRequest,
    ReversalRequest, TransferRequest,
};
use nostro_core::transfer_id::ID_DISTANCE_MAX;
use nostro_core::{AccountNumber, Timestamp};
use nostro_torture::money::{assert_posted, give_back, pay, reserve, take, told, undo};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;
use uuid::Uuid;

/// Longer than any wait of a server's own.
pub const ANSWER_MAX: Duration = Duration::from_secs(60);
/// More than any account has.
const TOO_MUCH: i64 = 1_000_000_000;
/// A hold that expires is placed, and its message waited for, before its time has run out.
const EXPIRES_IN: Duration = Duration::from_secs(6);
/// Told of what no client asks for.
pub const UNASKED: &str = "unasked";

/// Pairs of accounts, Arizona's first.
pub struct Pairs {
    /// Of what counts: the first pays the second.
    pub accounts: [AccountNumber; 2],
    /// These pay inside their branches,
    pub others: [AccountNumber; 2],
    /// and these are paid so.
    pub beside: [AccountNumber; 2],
}

/// What the case asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    Transfer(TransferRequest),
    /// Of a hold that is placed before.
    Capture(HoldRequest, CaptureRequest),
    /// Of a third of a transfer that is posted before.
    Reversal(TransferRequest, ReversalRequest),
    Reserve(HoldRequest),
    /// Of a hold that is placed before.
    Release(HoldRequest, ReleaseRequest),
    /// Nobody asks: the time of a hold that is placed before runs out.
    Expiry(HoldRequest),
    /// A link across, and one inside each branch, as a bulk whose items are linked.
    Chain(Vec<TransferRequest>),
    /// The same, and Arizona's own link is of more money than there is.
    BrokenChain(Vec<TransferRequest>),
}

impl Asked {
    pub fn of(scene: Scene, pairs: &Pairs, amount: i64) -> Self {
        let [from, to] = pairs.accounts;
        let links = |inside: i64| {
            let local = |at: usize, cents| looked_up(pay(pairs.others[at], pairs.beside[at], cents));
            vec![looked_up(pay(from, to, amount)), local(1, 1), local(0, inside)]
        };
        match scene {
            Scene::Capture => Self::Capture(reserve(from, to, 3 * amount, None), take(amount, true)),
            Scene::Reversal => Self::Reversal(pay(from, to, 3 * amount), undo(Some(amount))),
            Scene::Reserve => Self::Reserve(reserve(from, to, amount, None)),
            Scene::Release => Self::Release(reserve(from, to, amount, None), give_back()),
            Scene::Expiry => Self::Expiry(reserve(from, to, amount, None)),
            Scene::Chain => Self::Chain(links(1)),
            Scene::BrokenChain => Self::BrokenChain(links(TOO_MUCH)),
            Scene::Live | Scene::Many | Scene::VoteAgainst | Scene::Undecided | Scene::Decided | Scene::Finished => {
                Self::Transfer(looked_up(pay(from, to, amount)))
            }
        }
    }

    /// Brings about what is there before it.
    pub async fn bring_about(&self, client: &Client) {
        match self {
            Self::Capture(hold, _) | Self::Release(hold, _) => assert_posted(client.place_hold(hold).await),
            Self::Expiry(hold) => {
                let expires_at = Some(Timestamp::from(SystemTime::now() + EXPIRES_IN).to_string());
                assert_posted(client.place_hold(&HoldRequest { expires_at, ..hold.clone() }).await);
            }
            Self::Reversal(original, _) => assert_posted(client.transfer(original).await),
            Self::Transfer(_) | Self::Chain(_) | Self::BrokenChain(_) | Self::Reserve(_) => {}
        }
    }

    /// Counts its rows at a branch, and nothing that is not as it must be once it is decided.
    pub fn count(&self) -> String {
        let of = |condition: String| format!("select count(*) from transfer where {condition}");
        match self {
            Self::Transfer(TransferRequest { id, .. })
            | Self::Capture(_, CaptureRequest { id, .. })
            | Self::Reversal(_, ReversalRequest { id, .. })
            | Self::Reserve(HoldRequest { id, .. })
            | Self::Release(_, ReleaseRequest { id, .. }) => of(format!("id = '{id}' and refusal is null")),
            Self::Expiry(hold) => of(format!("hold = '{}' and kind = 'expiry' and refusal is null", hold.id)),
            Self::Chain(links) => of(format!("chain = '{}' and refusal is null", links[0].id)),
            Self::BrokenChain(links) => of(format!("chain = '{}' and refusal is not null", links[0].id)),
        }
    }

    /// How many rows Arizona and Texas have once it is decided. What is refused across has one at home.
    pub fn rows(&self) -> [&'static str; 2] {
        match self {
            Self::Transfer(_) | Self::Capture(..) | Self::Reversal(..) => ["1", "1"],
            Self::Reserve(_) | Self::Release(..) | Self::Expiry(_) => ["1", "0"],
            Self::Chain(_) => ["2", "2"],
            Self::BrokenChain(_) => ["2", "1"],
        }
    }

    /// What else a branch has of it once it is decided, and how to ask for that: its hold, or how much has gone back.
    pub fn source(&self) -> Option<(&'static str, String, String)> {
        let hold = |hold: &HoldRequest, stands: String| {
            let figures = "select concat_ws(' ', state, captured, released, amount - captured - released) from hold";
            Some(("AZ", format!("{figures} where id = '{}'", hold.id), stands))
        };
        match self {
            Self::Capture(of, CaptureRequest { amount, .. }) => {
                let (amount, rest) = (amount.minor_units(), of.amount.minor_units() - amount.minor_units());
                hold(of, format!("captured {amount} {rest} 0"))
            }
            Self::Reserve(of) => hold(of, format!("open 0 0 {}", of.amount)),
            Self::Release(of, _) => hold(of, format!("released 0 {} 0", of.amount)),
            Self::Expiry(of) => hold(of, format!("expired 0 {} 0", of.amount)),
            Self::Reversal(original, ReversalRequest { amount, .. }) => {
                let reversed = amount.unwrap_or(original.amount).to_string();
                Some(("TX", format!("select reversed from reversal where original = '{}'", original.id), reversed))
            }
            Self::Transfer(_) | Self::Chain(_) | Self::BrokenChain(_) => None,
        }
    }

    /// What is reserved at Arizona's account once it is decided.
    pub fn held(&self) -> i64 {
        match self {
            Self::Reserve(hold) => hold.amount.minor_units(),
            Self::Transfer(_)
            | Self::Capture(..)
            | Self::Reversal(..)
            | Self::Release(..)
            | Self::Expiry(_)
            | Self::Chain(_)
            | Self::BrokenChain(_) => 0,
        }
    }

    /// What has gone from the first account to the second once it is decided, with what is brought about before.
    pub fn moved(&self) -> i64 {
        match self {
            Self::Transfer(transfer) => transfer.amount.minor_units(),
            Self::Capture(_, capture) => capture.amount.minor_units(),
            Self::Reversal(original, reversal) => {
                original.amount.minor_units() - reversal.amount.unwrap_or(original.amount).minor_units()
            }
            Self::Chain(links) => links[0].amount.minor_units(),
            Self::Reserve(_) | Self::Release(..) | Self::Expiry(_) | Self::BrokenChain(_) => 0,
        }
    }

    /// What is told when it is decided, and when it was decided before.
    pub fn first_and_again(&self) -> [&'static str; 2] {
        match self {
            Self::Transfer(_)
            | Self::Capture(..)
            | Self::Reversal(..)
            | Self::Reserve(_)
            | Self::Release(..)
            | Self::Chain(_) => ["posted", "replayed"],
            Self::Expiry(_) => ["expired", "expired"],
            Self::BrokenChain(_) => [
                "refused chain_broken, chain_broken, insufficient_funds",
                "refused again chain_broken, chain_broken, insufficient_funds",
            ],
        }
    }

    pub fn is_posted(&self) -> bool {
        match self {
            Self::Transfer(_)
            | Self::Capture(..)
            | Self::Reversal(..)
            | Self::Reserve(_)
            | Self::Release(..)
            | Self::Expiry(_)
            | Self::Chain(_) => true,
            Self::BrokenChain(_) => false,
        }
    }

    pub fn is_chain(&self) -> bool {
        match self {
            Self::Chain(_) | Self::BrokenChain(_) => true,
            Self::Transfer(_)
            | Self::Capture(..)
            | Self::Reversal(..)
            | Self::Reserve(_)
            | Self::Release(..)
            | Self::Expiry(_) => false,
        }
    }

    pub async fn send(&self, client: &Client) -> String {
        match self {
            Self::Transfer(request) => told(&client.transfer(request).await),
            Self::Capture(hold, request) => told(&client.capture_hold(hold.id, None, request).await),
            Self::Reversal(original, request) => told(&client.reverse(original.id, None, request).await),
            Self::Reserve(hold) => told(&client.place_hold(hold).await),
            Self::Release(hold, request) => told(&client.release_hold(hold.id, None, request).await),
            Self::Expiry(hold) => match client.hold(hold.id, None).await {
                Ok(hold) => hold.state,
                Err(error) => told(&Err(error)),
            },
            Self::Chain(links) | Self::BrokenChain(links) => told_of(&client.bulk(&linked(links)).await),
        }
    }

    /// The same request until the answer is final; where nobody asks, the question what has become of it.
    pub async fn until_final(&self, client: &Client) -> String {
        let begin = Instant::now();
        loop {
            let outcome = self.send(client).await;
            let finals = ["posted", "replayed", "refused", "conflict", "mixed", "expired"];
            if finals.iter().any(|word| outcome.starts_with(word)) {
                return outcome;
            }
            assert!(begin.elapsed() < ANSWER_MAX, "still {outcome}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn linked(links: &[TransferRequest]) -> Vec<BulkOrder> {
    let last = links.len() - 1;
    let order = |(at, link): (usize, &TransferRequest)| BulkOrder {
        operation: BulkOperation::Transfer(link.clone()),
        linked: at < last,
    };
    links.iter().enumerate().map(order).collect()
}

/// One word for a chain whose links were all answered alike, with the codes of all where they were refused.
fn told_of(results: &Result<Vec<BulkItem>, ClientError>) -> String {
    let items = match results {
        Ok(items) => items,
        Err(ClientError::Connect { .. }) => return "not connected".into(),
        Err(ClientError::Rejected(problem)) => return format!("rejected {}", problem.code),
        Err(ClientError::Unavailable { problem, .. }) => return format!("unavailable {}", problem.code),
        Err(ClientError::Unknown { .. }) => return "unknown".into(),
    };
    let state = |item: &BulkItem| match (item.state.as_str(), item.replayed) {
        ("posted", true) => "replayed".to_owned(),
        (state, true) => format!("{state} again"),
        (state, false) => state.to_owned(),
    };
    let code = |item: &BulkItem| item.problem.as_ref().map(|problem| problem.code.clone());
    let states: Vec<String> = items.iter().map(state).collect();
    let mut codes: Vec<String> = items.iter().filter_map(code).collect();
    if states.iter().any(|state| *state != states[0]) {
        return format!("mixed: {states:?}, {codes:?}");
    }
    match states[0].as_str() {
        "refused" | "refused again" => format!("{} {}", states[0], codes.join(", ")),
        state => {
            codes.dedup();
            [state, &codes.join(", ")].join(" ").trim_end().to_owned()
        }
    }
}

/// With an id that is looked up before it is used: its time is nearly as far from the clock as an id's may be. Ahead
/// of it, so that it stays good however long the case takes.
pub fn looked_up(request: TransferRequest) -> TransferRequest {
    let ahead = SystemTime::now() + ID_DISTANCE_MAX - Duration::from_secs(30);
    let since = ahead.duration_since(UNIX_EPOCH).unwrap();
    let time = uuid::Timestamp::from_unix(uuid::NoContext, since.as_secs(), since.subsec_nanos());
    TransferRequest { id: Uuid::new_v7(time), ..request }
}
