//! Verifies the audit trail (ASVS 5.0 16.4.2). Triggers link every event into a chain of hashes; this recomputes the
//! chain, a batch of rows at a time.

use time::macros::datetime;

use crate::audit::chain::{BrokenChain, ChainHead, Damage, ErasedUser, IntactChain};
use crate::audit::queries::{self, ChainLink, LinkedEvent};
use crate::audit::service::Audit;
use crate::db::{Failed, Fault, refuse};
use crate::secret::sha256;

/// Rows in memory at once.
const BATCH: i64 = 2000;

/// Users named at most of those who exist although the trail records their deletion.
const MOST_NAMED: i64 = 100;

impl Audit {
    /// The last link of the trail.
    pub async fn trail_head(&self) -> Result<ChainHead, Fault> {
        Ok(self.db.read(queries::chain_head).await?.unwrap_or_else(ChainHead::beginning))
    }

    /// Verifies the whole trail.
    ///
    /// * `kept`: a head that was kept outside the database and has to be part of the trail.
    pub async fn verify_trail(&self, kept: Option<ChainHead>) -> Result<IntactChain, Failed<BrokenChain>> {
        let start = self.db.read(queries::chain_start).await?.unwrap_or_else(ChainHead::beginning);
        let intact = self.walk(start).await?;
        if let Some(event) = self.unlinked_event().await? {
            return refuse(BrokenChain { damage: Damage::Inserted, seq: None, event: Some(event) });
        }
        if let Some(broken) = self.lost_head(kept, intact.since).await? {
            return refuse(broken);
        }
        self.unless_erased_user_exists(intact).await
    }

    /// Users who exist although the trail records their deletion, 100 at most.
    pub async fn erased_users(&self) -> Result<Vec<ErasedUser>, Fault> {
        self.db.read(|conn| queries::erased_users(conn, MOST_NAMED)).await
    }

    async fn unless_erased_user_exists(
        &self,
        intact: IntactChain,
    ) -> Result<IntactChain, Failed<BrokenChain>> {
        match self.db.read(|conn| queries::erased_users(conn, 1)).await?.first() {
            Some(user) => {
                refuse(BrokenChain { damage: Damage::ErasedUserExists, seq: None, event: Some(user.event) })
            }
            None => Ok(intact),
        }
    }

    /// Checks that the trail contains a kept head. The trail begins after link `since`.
    async fn lost_head(&self, kept: Option<ChainHead>, since: i64) -> Result<Option<BrokenChain>, Fault> {
        let Some(kept) = kept.filter(|kept| kept.seq > 0) else { return Ok(None) };
        let seq = kept.seq;
        let damage = match self.db.read(move |conn| queries::chain_at(conn, seq)).await? {
            Some(hash) if hash == kept.hash => return Ok(None),
            Some(_) => Damage::Rewritten,
            None if seq > since => Damage::CutOff,
            // That link was purged.
            None => return Ok(None),
        };
        Ok(Some(BrokenChain { damage, seq: Some(seq), event: None }))
    }

    /// Verifies the last `links` links only, which is fast.
    pub async fn verify_recent(&self, links: i64) -> Result<IntactChain, Failed<BrokenChain>> {
        let start = self.db.read(queries::chain_start).await?.unwrap_or_else(ChainHead::beginning);
        let head = self.trail_head().await?;
        let seq = head.seq - links;
        let from = match seq <= start.seq {
            true => start,
            false => match self.db.read(move |conn| queries::chain_at(conn, seq)).await? {
                Some(hash) => ChainHead { seq, hash },
                None => return refuse(BrokenChain { damage: Damage::Missing, seq: Some(seq), event: None }),
            },
        };
        let intact = self.walk(from).await?;
        self.unless_erased_user_exists(intact).await
    }

    /// Verifies every link after `start`, which is trusted.
    async fn walk(&self, start: ChainHead) -> Result<IntactChain, Failed<BrokenChain>> {
        let mut intact = IntactChain { since: start.seq, links: 0, erased: 0, head: start };
        loop {
            let after = intact.head.seq;
            let batch = self.db.read(move |conn| queries::links_after(conn, after, BATCH)).await?;
            if batch.is_empty() {
                return Ok(intact);
            }
            for link in &batch {
                if let Err(damage) = check(&intact.head, link, &batch) {
                    let missing = link.seq != intact.head.seq + 1;
                    return refuse(BrokenChain {
                        damage,
                        seq: Some(if missing { intact.head.seq + 1 } else { link.seq }),
                        event: (!missing).then_some(link.event_id),
                    });
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

/// The hash that the trigger `audit_link` computes. Each part is preceded by whether it is present, and by its length.
fn hash(before: &[u8], event: &LinkedEvent, personal: &[u8]) -> [u8; 32] {
    // Postgres stores a timestamp as the microseconds since this moment.
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
