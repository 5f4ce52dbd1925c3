//! Names of distributed transactions: deployment, part, batch, gid.
//!
//! Each is a type that admits nothing but the characters of its text form, because the statements that prepare,
//! decide and finish carry them inside their text (PREPARE TRANSACTION takes no parameters). A [`Gid`] tells
//! everything that recovery needs: whose it is, the batch, the branch that is prepared and all participants.

use std::fmt;
use std::str::FromStr;

/// The first part of every gid of ours.
const GID_PREFIX: &str = "n1";
/// PostgreSQL's own limit for a gid, GIDSIZE in twophase.h, less the closing zero.
pub const GID_BYTES_MAX: usize = 199;
/// More participants do not fit a gid and are no longer a branch pair or a chain.
pub const PARTICIPANTS_MAX: usize = 7;

/// A text that is not one of the names of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a deployment id.
    #[error("a deployment id is 1 to 32 of a-z, 0-9 and -")]
    Deployment,
    /// Not the code of a part.
    #[error("a part is 1 to 8 capital letters or digits")]
    Part,
    /// Not a batch id.
    #[error("a batch is home-incarnation-number, such as AZ-1-4711")]
    Batch,
    /// Not a gid of ours.
    #[error("not a gid of this protocol")]
    Gid,
    /// Too many, one twice, or home among them.
    #[error("participants are at most 7 different parts, home is not among them")]
    Participants,
}

/// The id of one deployment; it keeps a copy of production from finishing production's transactions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deployment(Box<str>);

/// The code of a database that takes part. `Ord` is byte order: the first part of a batch is home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part([u8; 8]);

/// A batch: one distributed transaction. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// The part whose local commit is the decision.
    pub home: Part,
    /// Of home's database when the number was drawn.
    pub incarnation: u32,
    /// Drawn from home's `batch_number`.
    pub number: u64,
}

/// The name of one prepared transaction: a batch at one of its participants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid {
    /// Whose it is.
    pub deployment: Deployment,
    /// The batch.
    pub batch: BatchId,
    /// Where it is prepared.
    pub participant: Part,
    /// Every participant of the batch, in byte order.
    pub participants: Participants,
}

/// A batch and the databases in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// All parts but home.
    pub participants: Participants,
}

impl Batch {
    /// The name of what is prepared at one of its participants.
    pub fn gid(&self, deployment: &Deployment, participant: Part) -> Gid {
        let participants = self.participants.clone();
        Gid { deployment: deployment.clone(), batch: self.id, participant, participants }
    }

    /// Home and all participants, in byte order of the codes.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = self.participants.iter().chain([self.id.home]).collect();
        parts.sort_unstable();
        parts
    }
}

/// The participants of a batch: none (a local batch) to seven parts in byte order, home not among them.
#[derive(Default, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Participants(Box<[Part]>);

impl Part {
    /// Its letters.
    pub fn as_str(&self) -> &str {
        let letters = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

impl FromStr for Part {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if text.is_empty() || text.len() > 8 || !text.bytes().all(plain) {
            return Err(IdError::Part);
        }
        let mut letters = [0; 8];
        for (slot, byte) in letters.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        Ok(Self(letters))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Deployment {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(plain) {
            return Err(IdError::Deployment);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.home, self.incarnation, self.number)
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A figure as we write it: no sign, no leading zero.
fn figure<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|figure: &T| figure.to_string() == text)
}

impl FromStr for BatchId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut fields = text.split('-');
        let parsed = (|| {
            let home = fields.next()?.parse().ok()?;
            let incarnation = figure(fields.next()?)?;
            let number = figure(fields.next()?)?;
            fields.next().is_none().then_some(Self { home, incarnation, number })
        })();
        parsed.ok_or(IdError::Batch)
    }
}

impl Participants {
    /// In any order; home must not be among them.
    pub fn new(home: Part, parts: impl IntoIterator<Item = Part>) -> Result<Self, IdError> {
        let mut parts: Vec<Part> = parts.into_iter().collect();
        parts.sort_unstable();
        let apart = parts.windows(2).all(|pair| pair[0] != pair[1]);
        if parts.len() > PARTICIPANTS_MAX || !apart || parts.contains(&home) {
            return Err(IdError::Participants);
        }
        Ok(Self(parts.into()))
    }

    /// Whether the batch is local to its home.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In byte order.
    pub fn iter(&self) -> impl Iterator<Item = Part> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BatchId { home, incarnation, number } = self.batch;
        write!(f, "{GID_PREFIX}:{}:{home}:{incarnation}:{number}:{}:", self.deployment, self.participant)?;
        for (at, part) in self.participants.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            write!(f, "{separator}{part}")?;
        }
        Ok(())
    }
}

impl FromStr for Gid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parsed = (|| {
            let [prefix, deployment, home, incarnation, number, participant, participants] =
                text.split(':').collect::<Vec<_>>().try_into().ok()?;
            let home: Part = home.parse().ok()?;
            let participant: Part = participant.parse().ok()?;
            let parts: Vec<Part> = participants.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
            let participants = Participants::new(home, parts).ok()?;
            let gid = Self {
                deployment: deployment.parse().ok()?,
                batch: BatchId { home, incarnation: figure(incarnation)?, number: figure(number)? },
                participant,
                participants,
            };
            let listed = gid.participants.iter().any(|part| part == participant);
            (prefix == GID_PREFIX && listed && gid.to_string() == text).then_some(gid)
        })();
        parsed.ok_or(IdError::Gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gid_tells_everything_that_recovery_needs() {
        let text = "n1:demo:AZ:1:4711:TX:NV,TX";
        let gid: Gid = text.parse().unwrap();
        assert_eq!(gid.to_string(), text);
        assert_eq!(gid.batch.to_string(), "AZ-1-4711");
        assert_eq!("AZ-1-4711".parse(), Ok(gid.batch));
        assert_eq!(gid.participants.iter().map(|part| part.to_string()).collect::<Vec<_>>(), ["NV", "TX"]);
    }

    #[test]
    fn the_longest_gid_fits_postgresql() {
        let home: Part = "AAAAAAAA".parse().unwrap();
        let parts = (0..7).map(|at| format!("ZZZZZZZ{at}").parse().unwrap());
        let gid = Gid {
            deployment: "d".repeat(32).parse().unwrap(),
            batch: BatchId { home, incarnation: u32::MAX, number: u64::MAX },
            participant: "ZZZZZZZ0".parse().unwrap(),
            participants: Participants::new(home, parts).unwrap(),
        };
        assert!(gid.to_string().len() <= GID_BYTES_MAX, "{}", gid.to_string().len());
        assert_eq!(gid.to_string().parse(), Ok(gid));
    }

    #[test]
    fn what_could_break_out_of_a_statement_is_no_name() {
        for text in [
            "",
            "n1:demo:AZ:1:1:TX",
            "n2:demo:AZ:1:1:TX:TX",
            "n1:demo:AZ:1:1:TX:NV",
            "n1:demo:AZ:1:1:TX:AZ,TX",
            "n1:demo:AZ:1:1:TX:TX,TX",
            "n1:demo:AZ:1:1:TX:TX,NV",
            "n1:demo:AZ:01:1:TX:TX",
            "n1:demo:AZ:+1:1:TX:TX",
            "n1:de'mo:AZ:1:1:TX:TX",
            "n1:demo:AZ:1:1:TX:TX'; drop table batch; --",
        ] {
            assert_eq!(text.parse::<Gid>(), Err(IdError::Gid), "{text:?}");
        }
        for text in ["AZ-1", "AZ-1-2-3", "AZ-1--2", "az-1-2", "AZ-1-02"] {
            assert_eq!(text.parse::<BatchId>(), Err(IdError::Batch), "{text:?}");
        }
        assert_eq!("De".parse::<Deployment>(), Err(IdError::Deployment));
        assert_eq!("A'".parse::<Part>(), Err(IdError::Part));
    }
}
