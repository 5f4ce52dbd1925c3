//! A wire between the server and one PostgreSQL server that can do to messages what networks do.
//!
//! It reads whole messages in both directions (PostgreSQL, "Message Formats"), and knows which answer belongs to
//! which message, so that a test can hold exactly one: the message itself, or the answer to it. What is held is then
//! passed on or lost, with the connection or without it. Beside that the whole wire can be slow, late, silent or
//! closed. A message is known by its SQL text; of a prepared statement it is the execution that counts.

mod frame;

use frame::{Frame, Reader};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

/// A message that a test waits for is sent within this time, or never.
const REACHED_MAX: Duration = Duration::from_secs(20);

/// How a wire is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It carries everything at once.
    #[default]
    Clear,
    /// Whatever arrives is kept so long, in both directions.
    Late(Duration),
    /// It carries so many bytes a second in each direction.
    Slow(u32),
    /// Nothing gets through and nobody is told; what was sent arrives when the wire is better again.
    Silent,
    /// New connections are refused.
    Closed,
}

/// What to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hold {
    /// The message itself: the database has not seen it.
    Message,
    /// The database's answer: it has done what the message asks.
    Answer,
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Held,
    /// Still held, but the server is told that its connection is over.
    HungUp,
    Passed,
    Lost,
    PassedAndCut,
    HalfClosed,
}

#[derive(Debug)]
struct Trap {
    text: String,
    hold: Hold,
    sprung: mpsc::UnboundedSender<i32>,
    fate: watch::Receiver<Fate>,
}

/// What is common to all connections of a wire.
#[derive(Debug, Default)]
struct Shared {
    traps: Mutex<Vec<Trap>>,
    cut: watch::Sender<u32>,
    condition: watch::Sender<Condition>,
    /// The texts of the messages that went by, if somebody wants to know.
    record: Mutex<Option<Vec<String>>>,
}

/// The wire. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

/// An armed or sprung trap. What is held is lost when this is dropped.
#[derive(Debug)]
pub struct Held {
    sprung: mpsc::UnboundedReceiver<i32>,
    fate: watch::Sender<Fate>,
}

impl Held {
    /// Waits until the message, or the answer to it, has arrived. The process id of its backend.
    pub async fn reached(&mut self) -> i32 {
        let pid = tokio::time::timeout(REACHED_MAX, self.sprung.recv()).await;
        pid.expect("the message was never sent").expect("the wire is there")
    }

    /// Whether it has been reached by now.
    pub fn is_reached(&mut self) -> bool {
        self.sprung.try_recv().is_ok()
    }

    /// Passes on what is held.
    pub fn release(&self) {
        self.fate.send_replace(Fate::Passed);
    }

    /// The server reads that its connection is over, while what is held may still arrive at the database.
    pub fn hang_up(&self) {
        self.fate.send_replace(Fate::HungUp);
    }

    /// Loses what is held, and its connection.
    pub fn cut(&self) {
        self.fate.send_replace(Fate::Lost);
    }

    /// Passes on what is held, to the end of the message or of its answer, and then its connection is gone.
    pub fn release_and_cut(&self) {
        self.fate.send_replace(Fate::PassedAndCut);
    }

    /// Loses what is held and closes the direction in which it went; the other one stays open.
    pub fn half_close(&self) {
        self.fate.send_replace(Fate::HalfClosed);
    }
}

impl Wire {
    /// To the database that listens on this port of 127.0.0.1.
    pub async fn to(database_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        let listener = tokio::spawn(async move {
            while let Ok((server, _)) = listener.accept().await {
                if *all.condition.borrow() == Condition::Closed {
                    continue;
                }
                // A database that is down refuses the connection; so does the wire.
                let Ok(database) = TcpStream::connect(("127.0.0.1", database_port)).await else { continue };
                server.set_nodelay(true).unwrap();
                database.set_nodelay(true).unwrap();
                // Ends with its sockets, or when the wire cuts it.
                tokio::spawn(carry(server, database, Arc::clone(&all)));
            }
        });
        Self { port, shared, listener: listener.abort_handle() }
    }

    /// Where the server connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection that is open now; messages that arrived before are still carried out.
    pub fn cut_all(&self) {
        self.shared.cut.send_modify(|count| *count += 1);
    }

    /// From now on the wire is like this.
    pub fn be(&self, condition: Condition) {
        self.shared.condition.send_replace(condition);
    }

    /// Holds the next message that contains `text`, or its answer.
    pub fn hold(&self, text: impl Into<String>, hold: Hold) -> Held {
        let (sprung, reached) = mpsc::unbounded_channel();
        let (fate, told) = watch::channel(Fate::Held);
        self.shared.traps.lock().unwrap().push(Trap { text: text.into(), hold, sprung, fate: told });
        Held { sprung: reached, fate }
    }

    /// Forgets what went by and takes down what goes by from now on.
    pub fn record(&self) {
        *self.shared.record.lock().unwrap() = Some(Vec::new());
    }

    /// The texts of the messages that went by since [`Self::record`], in their order.
    pub fn recorded(&self) -> Vec<String> {
        self.shared.record.lock().unwrap().clone().unwrap_or_default()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut_all();
    }
}

/// One connection: what both directions know of it.
#[derive(Default)]
struct Connection {
    /// Messages that wait for their answer, each with the trap that its answer springs.
    asked: Mutex<VecDeque<Option<Trap>>>,
    /// A COPY takes its rows: of its two Syncs only the one behind the last row is answered.
    copying: AtomicBool,
    backend: AtomicI32,
    cut: Notify,
    hung_up: Notify,
}

impl Connection {
    /// Drops both sockets.
    async fn end(&self) -> ! {
        self.cut.notify_one();
        std::future::pending().await
    }
}

async fn carry(server: TcpStream, database: TcpStream, shared: Arc<Shared>) {
    let (from_server, to_server) = server.into_split();
    let (from_database, to_database) = database.into_split();
    let mut cut = shared.cut.subscribe();
    let connection = Connection::default();
    tokio::select! {
        () = async { tokio::join!(
            forth(from_server, to_database, &shared, &connection),
            back(from_database, to_server, &shared, &connection),
        ); } => {}
        _ = cut.changed() => {}
        () = connection.cut.notified() => {}
    }
}

/// What is to be done with a connection after what was held.
enum Next {
    GoOn,
    /// Nothing more goes this way; the other way stays open.
    Close,
}

/// From the server to the database. At its end the database reads that nothing more will come, as it does when a
/// server dies; what it answers is then carried or thrown away by the other direction.
async fn forth(from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, connection: &Connection) {
    let mut reader = Reader::new(from, frame::Side::Server);
    let mut statements: HashMap<String, String> = HashMap::new();
    let mut condition = shared.condition.subscribe();
    let mut answer_trap = None;
    let mut last = false;
    connection.asked.lock().unwrap().push_back(None);
    while let Some(frame) = reader.next().await {
        let sprung = frame.text(&mut statements).and_then(|text| {
            shared.record.lock().unwrap().iter_mut().for_each(|record| record.push(text.clone()));
            let mut traps = shared.traps.lock().unwrap();
            let met = traps.iter().position(|trap| text.contains(&trap.text));
            met.map(|at| traps.remove(at))
        });
        let mut fate = Fate::Passed;
        match sprung {
            Some(trap) if trap.hold == Hold::Message => {
                fate = held(trap, connection).await;
            }
            Some(trap) => answer_trap = Some(trap),
            None => {}
        }
        if frame.is_asking() && !connection.copying.swap(false, Ordering::AcqRel) {
            connection.asked.lock().unwrap().push_back(answer_trap.take());
        }
        last |= fate == Fate::PassedAndCut;
        match deliver(&mut to, &frame, fate, &mut condition, connection).await {
            // What is executed stands in several messages, up to the one that asks for an answer.
            Next::GoOn if last && frame.is_asking() => connection.end().await,
            Next::GoOn => {}
            Next::Close => break,
        }
    }
    let _ = to.shutdown().await;
}

/// From the database to the server.
async fn back(from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, connection: &Connection) {
    let mut reader = Reader::new(from, frame::Side::Database);
    let mut condition = shared.condition.subscribe();
    let mut last = false;
    loop {
        let next = tokio::select! {
            next = reader.next() => next,
            () = connection.hung_up.notified() => None,
        };
        let Some(frame) = next else { break };
        if let Some(pid) = frame.backend() {
            connection.backend.store(pid, Ordering::Relaxed);
        }
        let trap = connection.asked.lock().unwrap().front_mut().and_then(Option::take);
        let fate = match trap {
            Some(trap) => held(trap, connection).await,
            None => Fate::Passed,
        };
        if frame.is_copy_in() {
            connection.copying.store(true, Ordering::Release);
        }
        if frame.is_ready() {
            connection.asked.lock().unwrap().pop_front();
        }
        last |= fate == Fate::PassedAndCut;
        match deliver(&mut to, &frame, fate, &mut condition, connection).await {
            Next::GoOn if last && frame.is_ready() => connection.end().await,
            Next::GoOn => {}
            Next::Close => break,
        }
    }
    let _ = to.shutdown().await;
    // What the database still says is read and thrown away: a full or reset socket would disturb its work.
    let _ = copy(&mut reader.into_inner(), &mut sink()).await;
}

/// Tells that something is held, and waits for its fate.
async fn held(mut trap: Trap, connection: &Connection) -> Fate {
    let _ = trap.sprung.send(connection.backend.load(Ordering::Relaxed));
    let told = trap.fate.wait_for(|fate| *fate != Fate::Held).await.map_or(Fate::Lost, |fate| *fate);
    if told != Fate::HungUp {
        return told;
    }
    connection.hung_up.notify_one();
    trap.fate.wait_for(|fate| *fate != Fate::HungUp).await.map_or(Fate::Lost, |fate| *fate)
}

async fn deliver(
    to: &mut OwnedWriteHalf,
    frame: &Frame,
    fate: Fate,
    condition: &mut watch::Receiver<Condition>,
    connection: &Connection,
) -> Next {
    match fate {
        Fate::Lost => connection.end().await,
        Fate::HalfClosed => return Next::Close,
        Fate::Held | Fate::HungUp | Fate::Passed | Fate::PassedAndCut => {}
    }
    let state = *condition.borrow_and_update();
    match state {
        Condition::Clear | Condition::Closed => {}
        Condition::Late(pause) => tokio::time::sleep(pause).await,
        Condition::Slow(bytes_per_second) => {
            let bytes = u32::try_from(frame.bytes().len()).unwrap_or(u32::MAX);
            tokio::time::sleep(Duration::from_secs_f64(f64::from(bytes) / f64::from(bytes_per_second.max(1)))).await;
        }
        Condition::Silent => {
            let _ = condition.wait_for(|state| *state != Condition::Silent).await;
        }
    }
    // A peer that is gone is noticed by the reader of its side.
    let _ = to.write_all(frame.bytes()).await;
    Next::GoOn
}
