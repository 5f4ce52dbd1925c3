//! One message of PostgreSQL's protocol, version 3, as it stands on the wire.

use std::collections::HashMap;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::tcp::OwnedReadHalf;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Database,
}

/// A whole message with its head.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    /// Of the type; the first message of a connection has none.
    kind: Option<u8>,
}

/// Reads message after message.
pub(super) struct Reader {
    from: BufReader<OwnedReadHalf>,
    typed: bool,
}

impl Reader {
    pub(super) fn new(from: OwnedReadHalf, side: Side) -> Self {
        Self { from: BufReader::with_capacity(65_536, from), typed: side == Side::Database }
    }

    /// The next message; none once the peer has closed or is gone.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let mut bytes = Vec::new();
        let mut kind = None;
        if self.typed {
            let found = self.from.read_u8().await.ok()?;
            bytes.push(found);
            kind = Some(found);
        }
        let length = self.from.read_u32().await.ok()?;
        bytes.extend(length.to_be_bytes());
        let head = bytes.len();
        bytes.resize(head + usize::try_from(length).ok()?.checked_sub(4)?, 0);
        self.from.read_exact(&mut bytes[head..]).await.ok()?;
        self.typed = true;
        Some(Frame { bytes, kind })
    }

    pub(super) fn into_inner(self) -> OwnedReadHalf {
        self.from.into_inner()
    }
}

impl Frame {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn body(&self) -> &[u8] {
        &self.bytes[4 + usize::from(self.kind.is_some())..]
    }

    /// From the server: the SQL that it runs. A statement that is only prepared is remembered and not run.
    pub(super) fn text(&self, statements: &mut HashMap<String, String>) -> Option<String> {
        match self.kind? {
            b'Q' => Some(word(self.body()).0),
            b'P' => {
                let (name, rest) = word(self.body());
                statements.insert(name, word(rest).0);
                None
            }
            b'B' => {
                let (_, rest) = word(self.body());
                statements.get(&word(rest).0).cloned()
            }
            _ => None,
        }
    }

    /// From the server: the database answers it with everything up to ReadyForQuery.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.kind, Some(b'Q' | b'S'))
    }

    /// From the database: CopyInResponse. The Sync behind the COPY that it answers is overlooked.
    pub(super) fn is_copy_in(&self) -> bool {
        self.kind == Some(b'G')
    }

    /// From the database: ReadyForQuery.
    pub(super) fn is_ready(&self) -> bool {
        self.kind == Some(b'Z')
    }

    /// From the database: BackendKeyData, the process id.
    pub(super) fn backend(&self) -> Option<i32> {
        let pid = self.body().first_chunk::<4>()?;
        (self.kind == Some(b'K')).then(|| i32::from_be_bytes(*pid))
    }
}

/// The text up to the zero byte, and what follows it.
fn word(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes.get(end + 1..).unwrap_or_default())
}
