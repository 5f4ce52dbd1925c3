//! What every command takes that moves money or changes an account, and what it does before it asks.
//!
//! The id is the idempotency key. It is made here, or named by who asks again; the command that asks again is printed
//! with it.

use super::connection::ConnectionArgs;
use super::exit::EXIT_USAGE;
use super::outcome::{self, Asked, quoted};
use clap::Args;
use nostro_client::Client;
use nostro_core::{AccountNumber, Amount, Currency};
use std::process::ExitCode;
use uuid::Uuid;

/// What every command takes that asks for something once.
#[derive(Args, Debug)]
pub(crate) struct RequestArgs {
    /// Id of the request, to ask again for the same one; a new one by default
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// What every command takes that moves money.
#[derive(Args, Debug)]
pub(crate) struct MovingArgs {
    /// Text for the statement, up to 140 characters
    #[arg(long)]
    pub(crate) reference: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

impl RequestArgs {
    /// A client with the key that was found; or how the command ends, as without one nothing is sent.
    pub(crate) fn client(&self) -> Result<Client, ExitCode> {
        self.connection.client().map_err(|error| outcome::nothing_sent(self.is_again(), &error))
    }

    /// The id that was named, or a new one: to be asked for once.
    pub(crate) fn id(&self) -> Uuid {
        self.id.unwrap_or_else(Uuid::now_v7)
    }

    /// Whether an id was named, so that an earlier attempt may be open.
    pub(crate) fn is_again(&self) -> bool {
        self.id.is_some()
    }

    /// `words` are those of the command, such as `account close AZ93000000001042`, with the options of its own.
    pub(crate) fn asked(&self, client: &Client, id: Uuid, words: &str) -> Asked {
        let key_file = self.connection.key_file.as_deref();
        let key_file = key_file.map(|file| format!(" --key-file {}", quoted(&file.display().to_string())));
        let (api, key_file) = (quoted(client.base_url()), key_file.unwrap_or_default());
        let again = format!("nostro {words} --id {id} --api {api}{key_file}");
        Asked { id, is_again: self.is_again(), again, json: self.json }
    }
}

impl MovingArgs {
    /// As of [`RequestArgs::client`].
    pub(crate) fn client(&self) -> Result<Client, ExitCode> {
        self.request.client()
    }

    /// As of [`RequestArgs::id`].
    pub(crate) fn id(&self) -> Uuid {
        self.request.id()
    }

    /// As of [`RequestArgs::is_again`].
    pub(crate) fn is_again(&self) -> bool {
        self.request.is_again()
    }

    /// As of [`RequestArgs::asked`]; the reference is added.
    pub(crate) fn asked(&self, client: &Client, id: Uuid, words: &str) -> Asked {
        let reference = self.reference.as_deref().map(|text| format!(" --reference {}", quoted(text)));
        self.request.asked(client, id, &format!("{words}{}", reference.unwrap_or_default()))
    }

    /// The currency that was named, or else the account's; or how the command ends, as without one nothing is sent.
    pub(crate) async fn currency_of(
        &self,
        client: &Client,
        named: Option<Currency>,
        account: AccountNumber,
    ) -> Result<Currency, ExitCode> {
        if let Some(currency) = named {
            return Ok(currency);
        }
        match client.account(account).await {
            Ok(account) => Ok(account.currency),
            Err(error) => Err(outcome::nothing_moved(self.is_again(), &error, &format!("the currency of {account}"))),
        }
    }
}

/// What a person typed in major units; or how the command ends, if it is no amount of the currency.
pub(crate) fn amount(currency: Currency, text: &str) -> Result<Amount, ExitCode> {
    currency.parse_major_units(text).map_err(|error| {
        eprintln!("{text}: {error}");
        ExitCode::from(EXIT_USAGE)
    })
}
