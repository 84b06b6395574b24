//! Whether the audit trail is what it was (ASVS 5.0 16.4.2): every event is a link of a chain of hashes, made by the
//! database when its transaction commits. Recomputed here, a batch at a time. Called by `latchkey audit`.

use std::fmt;
use std::str::FromStr;

use time::macros::datetime;

use crate::audit::queries::{ChainLink, LinkedEvent};
use crate::audit::{Audit, queries};
use crate::db::Fault;
use crate::identity::UserId;
use crate::secret::{decode, encode, sha256};

/// How many rows are held at once.
const BATCH: i64 = 2000;

/// Users named at most when their trail was erased and they exist.
const MOST_NAMED: i64 = 100;

/// The number of a link and its hash. Kept elsewhere, it shows later that nothing up to it was cut off or rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl ChainHead {
    fn beginning() -> Self {
        Self { seq: 0, hash: vec![0; 32] }
    }
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, encode(&self.hash))
    }
}

/// It is not of the form `SEQ:HASH`.
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

/// What was done to the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The event says something else than when it was written.
    Changed,
    /// The link, or its event, is gone.
    Missing,
    /// An event that no link is about.
    Inserted,
    /// The link follows another one than it did.
    Reordered,
    /// The kept head lies behind the end.
    CutOff,
    /// The kept head is another one than the link of its number.
    Rewritten,
    /// The event says that a user was deleted, so their trail may be erased, but the user exists:
    /// [`Audit::erased_users`] names them.
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

/// The first place where the trail is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenChain {
    pub damage: Damage,
    /// The number of the link; an inserted event has none.
    pub seq: Option<i64>,
    pub event: Option<i64>,
}

/// A user who exists although the trail says that they were deleted.
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
    /// What came before was thrown away on purpose.
    pub since: i64,
    pub links: u64,
    /// Events of people who were deleted, without what was personal.
    pub erased: u64,
    pub head: ChainHead,
}

impl Audit {
    /// The last link of the trail.
    pub async fn trail_head(&self) -> Result<ChainHead, Fault> {
        Ok(self.db.read(queries::chain_head).await?.unwrap_or_else(ChainHead::beginning))
    }

    /// Recomputes the whole trail; with `kept`, also sees whether that is still in it.
    pub async fn verify_trail(
        &self,
        kept: Option<ChainHead>,
    ) -> Result<Result<IntactChain, BrokenChain>, Fault> {
        let start = self.db.read(queries::chain_start).await?.unwrap_or_else(ChainHead::beginning);
        let intact = match self.walk(start).await? {
            Ok(intact) => intact,
            broken => return Ok(broken),
        };
        if let Some(event) = self.unlinked_event().await? {
            return Ok(Err(BrokenChain { damage: Damage::Inserted, seq: None, event: Some(event) }));
        }
        if let Some(broken) = self.lost_head(kept, intact.since).await? {
            return Ok(Err(broken));
        }
        self.unless_erased_user_exists(intact).await
    }

    /// Users who exist although the trail says that they were deleted.
    pub async fn erased_users(&self) -> Result<Vec<ErasedUser>, Fault> {
        self.db.read(|conn| queries::erased_users(conn, MOST_NAMED)).await
    }

    async fn unless_erased_user_exists(
        &self,
        intact: IntactChain,
    ) -> Result<Result<IntactChain, BrokenChain>, Fault> {
        let first = self.db.read(|conn| queries::erased_users(conn, 1)).await?.into_iter().next();
        Ok(match first {
            Some(user) => {
                Err(BrokenChain { damage: Damage::ErasedUserExists, seq: None, event: Some(user.event) })
            }
            None => Ok(intact),
        })
    }

    /// How a head that was kept elsewhere is not in the trail, which begins after link `since`.
    async fn lost_head(&self, kept: Option<ChainHead>, since: i64) -> Result<Option<BrokenChain>, Fault> {
        let Some(kept) = kept.filter(|kept| kept.seq > 0) else { return Ok(None) };
        let seq = kept.seq;
        let damage = match self.db.read(move |conn| queries::chain_at(conn, seq)).await? {
            Some(hash) if hash == kept.hash => return Ok(None),
            Some(_) => Damage::Rewritten,
            None if seq > since => Damage::CutOff,
            // Older than what is kept at all.
            None => return Ok(None),
        };
        Ok(Some(BrokenChain { damage, seq: Some(seq), event: None }))
    }

    /// The same for the last so many links alone, which takes no time.
    pub async fn verify_recent(&self, links: i64) -> Result<Result<IntactChain, BrokenChain>, Fault> {
        let start = self.db.read(queries::chain_start).await?.unwrap_or_else(ChainHead::beginning);
        let head = self.trail_head().await?;
        let seq = head.seq - links;
        let from = match seq <= start.seq {
            true => start,
            false => match self.db.read(move |conn| queries::chain_at(conn, seq)).await? {
                Some(hash) => ChainHead { seq, hash },
                None => return Ok(Err(BrokenChain { damage: Damage::Missing, seq: Some(seq), event: None })),
            },
        };
        match self.walk(from).await? {
            Ok(intact) => self.unless_erased_user_exists(intact).await,
            broken => Ok(broken),
        }
    }

    /// From `start`, which is taken as true, to the end.
    async fn walk(&self, start: ChainHead) -> Result<Result<IntactChain, BrokenChain>, Fault> {
        let mut intact = IntactChain { since: start.seq, links: 0, erased: 0, head: start };
        loop {
            let after = intact.head.seq;
            let batch = self.db.read(move |conn| queries::links_after(conn, after, BATCH)).await?;
            if batch.is_empty() {
                return Ok(Ok(intact));
            }
            for link in &batch {
                if let Err(damage) = check(&intact.head, link, &batch) {
                    let missing = link.seq != intact.head.seq + 1;
                    return Ok(Err(BrokenChain {
                        damage,
                        seq: Some(if missing { intact.head.seq + 1 } else { link.seq }),
                        event: (!missing).then_some(link.event_id),
                    }));
                }
                intact.links += 1;
                intact.erased += u64::from(link.salt.is_none());
                intact.head = ChainHead { seq: link.seq, hash: link.hash.clone() };
            }
        }
    }

    async fn unlinked_event(&self) -> Result<Option<i64>, Fault> {
        let mut after = i64::MIN;
        loop {
            let batch = self.db.read(move |conn| queries::linked_after(conn, after, BATCH)).await?;
            let Some((last, _)) = batch.last() else { return Ok(None) };
            after = *last;
            if let Some((event, _)) = batch.iter().find(|(_, linked)| !linked) {
                return Ok(Some(*event));
            }
        }
    }
}

fn check(before: &ChainHead, link: &ChainLink, near: &[ChainLink]) -> Result<(), Damage> {
    if link.seq != before.seq + 1 {
        return Err(Damage::Missing);
    }
    let event = link.event.as_ref().ok_or(Damage::Missing)?;
    if hash(&before.hash, event, &link.personal) != link.hash[..] {
        let elsewhere = near.iter().any(|other| hash(&other.hash, event, &link.personal) == link.hash[..]);
        return Err(if elsewhere { Damage::Reordered } else { Damage::Changed });
    }
    let said = [&event.address, &event.user_agent, &event.detail];
    let as_written = match &link.salt {
        Some(salt) => personal(salt, said) == link.personal[..],
        None => link.may_be_erased && said.iter().all(|text| text.is_empty()),
    };
    if as_written { Ok(()) } else { Err(Damage::Changed) }
}

/// What the trigger `audit_link` computes: each part with whether it is there and how long it is.
fn hash(before: &[u8], event: &LinkedEvent, personal: &[u8]) -> [u8; 32] {
    // Postgres counts microseconds from here.
    let at = (event.at - datetime!(2000-01-01 0:00 UTC)).whole_microseconds();
    let mut bytes = before.to_vec();
    part(&mut bytes, Some(&event.id.to_be_bytes()));
    part(&mut bytes, Some(&i64::try_from(at).unwrap_or(i64::MAX).to_be_bytes()));
    part(&mut bytes, Some(event.act.as_bytes()));
    for id in [&event.actor, &event.subject, &event.session] {
        part(&mut bytes, id.as_ref().map(|id| &id.as_bytes()[..]));
    }
    part(&mut bytes, Some(personal));
    sha256(&bytes)
}

fn personal(salt: &[u8], said: [&String; 3]) -> [u8; 32] {
    let mut bytes = salt.to_vec();
    for text in said {
        part(&mut bytes, Some(text.as_bytes()));
    }
    sha256(&bytes)
}

fn part(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    bytes.push(u8::from(part.is_some()));
    if let Some(part) = part {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(part);
    }
}
