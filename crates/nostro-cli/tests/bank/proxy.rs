//! A wire between the server and one PostgreSQL server that can hold a message of the commit protocol.
//!
//! It reads the frontend messages whole (PostgreSQL, "Message Formats"), so that it can hold exactly the one that
//! is armed for: before it is sent on, or after it was sent on, by holding everything that the database answers.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// What to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The message itself: the database never sees it, unless it is released.
    Message,
    /// The database's answer: it has seen the message.
    Answer,
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Held,
    Released,
    Cut,
}

#[derive(Debug)]
struct Trap {
    text: &'static str,
    hold: Hold,
    sprung: mpsc::UnboundedSender<()>,
    verdict: watch::Receiver<Verdict>,
}

/// The wire.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    trap: Arc<Mutex<Option<Trap>>>,
    cut_all: watch::Sender<u32>,
}

/// An armed or sprung trap.
pub struct Held {
    sprung: mpsc::UnboundedReceiver<()>,
    verdict: watch::Sender<Verdict>,
}

impl Held {
    /// Waits until the message was met.
    pub async fn reached(&mut self) {
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, self.sprung.recv()).await.expect("the message was never sent").unwrap();
    }

    /// Lets what is held go on its way.
    pub fn release(&self) {
        self.verdict.send_replace(Verdict::Released);
    }

    /// Drops what is held and both ends of its connection.
    pub fn cut(&self) {
        self.verdict.send_replace(Verdict::Cut);
    }
}

impl Proxy {
    pub async fn to(database_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trap = Arc::new(Mutex::new(None));
        let (cut_all, _) = watch::channel(0);
        let (armed, cut) = (Arc::clone(&trap), cut_all.clone());
        tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                // A database that is down refuses the connection; so does the wire.
                let Ok(database) = TcpStream::connect(("127.0.0.1", database_port)).await else { continue };
                server.set_nodelay(true).unwrap();
                database.set_nodelay(true).unwrap();
                tokio::spawn(carry(server, database, Arc::clone(&armed), cut.subscribe()));
            }
        });
        Self { port, trap, cut_all }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection that is open now.
    pub fn cut_all(&self) {
        self.cut_all.send_modify(|count| *count += 1);
    }

    /// Holds the next message that contains `text`.
    pub fn hold(&self, text: &'static str, hold: Hold) -> Held {
        let (sprung, reached) = mpsc::unbounded_channel();
        let (verdict, judged) = watch::channel(Verdict::Held);
        *self.trap.lock().unwrap() = Some(Trap { text, hold, sprung, verdict: judged });
        Held { sprung: reached, verdict }
    }
}

/// An armed hold of the answers on one connection.
type AnswerTrap = Arc<Mutex<Option<(mpsc::UnboundedSender<()>, watch::Receiver<Verdict>)>>>;

async fn carry(server: TcpStream, database: TcpStream, trap: Arc<Mutex<Option<Trap>>>, mut cut: watch::Receiver<u32>) {
    let (from_server, to_server) = server.into_split();
    let (from_database, to_database) = database.into_split();
    let answers = AnswerTrap::default();
    tokio::select! {
        () = forth(from_server, to_database, trap, Arc::clone(&answers)) => {}
        () = back(from_database, to_server, answers) => {}
        _ = cut.changed() => {}
    }
}

/// Waits for the verdict; whether to go on.
async fn judged(verdict: &mut watch::Receiver<Verdict>) -> bool {
    match verdict.wait_for(|verdict| *verdict != Verdict::Held).await {
        Ok(verdict) => *verdict == Verdict::Released,
        Err(_) => false,
    }
}

async fn forth(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, trap: Arc<Mutex<Option<Trap>>>, answers: AnswerTrap) {
    let mut first = true;
    while let Some(message) = read_message(&mut from, first).await {
        first = false;
        let sprung = {
            let mut armed = trap.lock().unwrap();
            let met = armed.as_ref().is_some_and(|trap| contains(&message, trap.text.as_bytes()));
            if met { armed.take() } else { None }
        };
        match sprung {
            Some(Trap { hold: Hold::Message, sprung, mut verdict, .. }) => {
                sprung.send(()).unwrap();
                if !judged(&mut verdict).await {
                    return;
                }
            }
            Some(Trap { hold: Hold::Answer, sprung, verdict, .. }) => {
                *answers.lock().unwrap() = Some((sprung, verdict));
            }
            None => {}
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, answers: AnswerTrap) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let held = answers.lock().unwrap().take();
        if let Some((sprung, mut verdict)) = held {
            // Perhaps an answer to an earlier message: a test also looks at the database.
            sprung.send(()).unwrap();
            if !judged(&mut verdict).await {
                return;
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn read_message(from: &mut OwnedReadHalf, first: bool) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    if !first {
        message.push(from.read_u8().await.ok()?);
    }
    let length = from.read_u32().await.ok()?;
    message.extend(length.to_be_bytes());
    let head = message.len();
    message.resize(head + usize::try_from(length).unwrap() - 4, 0);
    from.read_exact(&mut message[head..]).await.ok()?;
    Some(message)
}

fn contains(message: &[u8], text: &[u8]) -> bool {
    message.windows(text.len()).any(|window| window == text)
}
