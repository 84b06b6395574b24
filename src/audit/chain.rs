//! The hash chain as data: its head, and the damage that a verification can find.

use std::fmt;
use std::str::FromStr;

use crate::identity::UserId;
use crate::secret::{decode, encode};

/// The number and the hash of a link. Kept outside the database, it proves later that no link up to it was removed or
/// rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl ChainHead {
    pub(super) fn beginning() -> Self {
        Self { seq: 0, hash: vec![0; 32] }
    }
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, encode(&self.hash))
    }
}

/// The text does not have the form `SEQ:HASH`.
#[derive(Debug)]
pub struct InvalidChainHead;

impl FromStr for ChainHead {
    type Err = InvalidChainHead;

    fn from_str(text: &str) -> Result<Self, InvalidChainHead> {
        let (seq, hash) = text.split_once(':').ok_or(InvalidChainHead)?;
        let hash = decode::<32>(hash).ok_or(InvalidChainHead)?;
        Ok(Self { seq: seq.parse().map_err(|_| InvalidChainHead)?, hash: hash.to_vec() })
    }
}

/// How the trail was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// An event differs from what was written.
    Changed,
    /// A link or its event is missing.
    Missing,
    /// An event without a link.
    Inserted,
    /// A link follows another one than before.
    Reordered,
    /// The kept head is after the end of the trail.
    CutOff,
    /// The kept head differs from the link of its number.
    Rewritten,
    /// An event says that a user was deleted, so their personal data in the trail may be erased, but the user exists. See
    /// [`Audit::erased_users`](crate::audit::Audit::erased_users).
    ErasedUserExists,
}

impl Damage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::CutOff => "cut off",
            Self::Rewritten => "rewritten",
            Self::ErasedUserExists => "erased, but the user exists",
        }
    }
}

/// The first damage in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenChain {
    pub damage: Damage,
    /// The number of the link; `None` for an inserted event.
    pub seq: Option<i64>,
    pub event: Option<i64>,
}

/// A user who exists although the trail records their deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedUser {
    pub id: UserId,
    pub email: String,
    /// The `deleted` event.
    pub event: i64,
}

/// An unbroken trail.
#[derive(Debug)]
pub struct IntactChain {
    /// Links up to this one were purged.
    pub since: i64,
    pub links: u64,
    /// Events of deleted users, without their personal data.
    pub erased: u64,
    pub head: ChainHead,
}
