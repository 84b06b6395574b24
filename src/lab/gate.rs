//! The two doors of the lab's guarded page: one asks the sessions, one checks a token. Each says whom it lets in, why,
//! and which of its own lines decided.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::{DenyList, Held, Lab, Role, Run, Service, queries};
use crate::db::Fault;
use crate::db::time::Moment;
use crate::jwt::{Refusal, Use};
use latchkey_sessions::Key;

/// This file, to show the line that decided.
const SOURCE: &str = include_str!("gate.rs");

/// A line of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub file: &'static str,
    pub number: u32,
    pub text: &'static str,
}

/// What a door answers.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Let in, as what.
    pub role: Option<Role>,
    pub why: String,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub line: Line,
    /// How often the database was asked before the answer stood.
    pub reads: u32,
    pub took: Duration,
}

/// Who shows the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Browser,
    /// Whoever has the copy.
    Thief,
}

/// One question, put to both doors.
pub struct Finding {
    pub holder: Holder,
    pub service: Service,
    pub session: Verdict,
    pub token: Verdict,
}

impl Finding {
    /// Whether the browser itself, no copy, is refused on either side.
    pub fn turns_browser_away(&self) -> bool {
        self.holder == Holder::Browser && !(self.session.is_admitted() && self.token.is_admitted())
    }
}

/// The answer before it is known how long it took.
struct Ruling {
    role: Option<Role>,
    why: String,
    since: Option<Moment>,
    until: Option<Moment>,
    line: Line,
    reads: u32,
}

impl Ruling {
    fn reads(self, reads: u32) -> Self {
        Self { reads, ..self }
    }

    fn since(self, since: Moment) -> Self {
        Self { since: Some(since), ..self }
    }

    fn until(self, until: Moment) -> Self {
        Self { until: Some(until), ..self }
    }
}

#[track_caller]
fn admitted(role: Role, why: &str) -> Ruling {
    let line = Line::of(Location::caller());
    Ruling { role: Some(role), why: why.to_owned(), since: None, until: None, line, reads: 0 }
}

#[track_caller]
fn refused(why: impl Into<String>) -> Ruling {
    let line = Line::of(Location::caller());
    Ruling { role: None, why: why.into(), since: None, until: None, line, reads: 0 }
}

impl Line {
    fn of(caller: &Location<'static>) -> Self {
        let text = SOURCE.lines().nth(caller.line() as usize - 1).unwrap_or_default().trim();
        Self { file: caller.file(), number: caller.line(), text }
    }
}

impl Ruling {
    fn timed(self, begun: Instant) -> Verdict {
        let Self { role, why, since, until, line, reads } = self;
        Verdict { role, why, since, until, line, reads, took: begun.elapsed() }
    }
}

impl Verdict {
    pub fn is_admitted(&self) -> bool {
        self.role.is_some()
    }
}

impl Lab {
    /// Shows `held` at both doors of `service`.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: nobody is admitted.
    pub async fn ask(
        &self,
        run: &Run,
        holder: Holder,
        service: Service,
        held: &Held,
    ) -> Result<Finding, Fault> {
        let session = self.session_door(run, held.session.as_deref()).await?;
        let token = self.token_door(run, service, held.access.as_deref()).await?;
        Ok(Finding { holder, service, session, token })
    }

    /// The door that asks the sessions. Each service asks the same table, so that it does not matter which one.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: nobody is admitted.
    pub async fn session_door(&self, run: &Run, key: Option<&str>) -> Result<Verdict, Fault> {
        let begun = Instant::now();
        let Some(given) = key else {
            return Ok(refused("No key came with the request.").timed(begun));
        };
        let Some(key) = self.key_in(given) else {
            return Ok(refused("We have not signed that cookie: the table is not asked.").timed(begun));
        };
        let found = self.sessions.find(&key).await?;
        if let Some(live) = found.filter(|live| live.record.principal == run.principal()) {
            let record = &live.record;
            let ruling = admitted(live.owner.role, "The row is there and says so.").reads(1);
            let verdict = ruling.since(record.created_at).until(record.expires_at).timed(begun);
            // When it was seen is written down afterwards, as everywhere.
            self.sessions.flush_touches().await?;
            return Ok(verdict);
        }
        let verdict = refused("No live row has this key's hash.").reads(1).timed(begun);
        self.explained(run, &key, verdict).await
    }

    /// For the page, after the door has decided: what became of the row.
    async fn explained(&self, run: &Run, key: &Key, mut verdict: Verdict) -> Result<Verdict, Fault> {
        let hash = key.hash();
        let row = self.db.read(move |conn| queries::what_became_of(conn, &hash)).await?;
        (verdict.why, verdict.since) = match row {
            None => ("No row has this key's hash.".to_owned(), None),
            Some((Some(revoked_at), _)) => ("The row says: revoked.".to_owned(), Some(revoked_at)),
            Some((None, expires_at)) if expires_at <= run.now => {
                ("The row says: its time is over.".to_owned(), Some(expires_at))
            }
            Some(_) => ("Its subject is disabled, so the row is not found.".to_owned(), run.disabled_at),
        };
        Ok(verdict)
    }

    /// The door that checks a token: the signature, what the token says of itself, and the deny-list if there is one.
    ///
    /// # Errors
    /// Any [`Fault`] of the database, where a deny-list is kept in it: nobody is admitted.
    pub async fn token_door(
        &self,
        run: &Run,
        service: Service,
        token: Option<&str>,
    ) -> Result<Verdict, Fault> {
        let verifier = run.verifier(&self.secret, service);
        let begun = Instant::now();
        let Some(token) = token else {
            return Ok(refused("No token came with the request.").timed(begun));
        };
        let claims = match verifier.verify(Use::Access, token, run.token_time()) {
            Ok(claims) => claims,
            Err(Refusal::Expired { at }) => {
                return Ok(refused("The token says: its time is over.").since(run.wall(at)).timed(begun));
            }
            Err(refusal) => return Ok(refused(refusal.to_string()).timed(begun)),
        };
        if claims.sub != run.id.to_string() {
            return Ok(refused("The token is about somebody else.").timed(begun));
        }
        let (Some(role), Ok(id)) = (Role::parse(&claims.role), claims.jti.parse()) else {
            return Ok(refused("The token names no role or has no id.").timed(begun));
        };
        let (iat, exp) = (run.wall(claims.iat), run.wall(claims.exp));
        match run.deny_list {
            DenyList::None => {}
            DenyList::Memory => {
                if service == Service::Shop && self.memory.denies(run.id, id) {
                    return Ok(refused("This service remembers that the token was denied.").timed(begun));
                }
            }
            DenyList::Database => {
                let denied = self.db.read(move |conn| queries::denied_at(conn, id)).await?;
                if let Some(at) = denied {
                    let ruling = refused("The deny-list in the database has it.").reads(1);
                    return Ok(ruling.since(at).timed(begun));
                }
            }
        }
        let reads = u32::from(run.deny_list == DenyList::Database);
        let ruling = admitted(role, "The signature fits and the time is not over.").reads(reads);
        Ok(ruling.since(iat).until(exp).timed(begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ruling_names_the_very_line_that_made_it() {
        let ruling = refused("for this test");
        assert_eq!(ruling.line.text, "let ruling = refused(\"for this test\");");
        assert!(ruling.line.file.ends_with("gate.rs"));
    }
}
