//! The two checks of the lab's guarded page: one looks up the session, one verifies the token. Each verdict says who
//! is admitted, why, and which line of this file decided.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::jwt::{Refusal, TokenUse};
use super::{CredentialSet, DenyList, Holder, Lab, Run, Service, SubjectRole, queries};
use crate::db::Fault;
use crate::db::time::Moment;
use latchkey_sessions::Key;

/// This file, so that the page can show the line that decided.
const SOURCE: &str = include_str!("check.rs");

/// A line of source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLine {
    pub file: &'static str,
    pub number: u32,
    pub text: &'static str,
}

/// The answer of one check.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The role with which the credential is admitted; `None` if it is refused.
    pub role: Option<SubjectRole>,
    pub reason: Reason,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    pub decided_by: SourceLine,
    /// How many database queries the decision needed.
    pub queries: u32,
    pub took: Duration,
}

/// Why a credential is admitted or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    SessionLive,
    SessionMissing,
    /// The cookie carries no signature of ours, so the table is not asked.
    SessionUnsigned,
    SessionUnknown,
    SessionRevoked,
    SessionExpired,
    /// The row is live, and its subject is disabled.
    SubjectDisabled,
    TokenValid,
    TokenMissing,
    TokenRefused(Refusal),
    /// Issued for the subject of another run.
    TokenOfOtherSubject,
    /// The role is unknown, or the id is not one of ours.
    TokenUnreadable,
    DeniedInMemory,
    DeniedInDatabase,
}

impl Reason {
    /// Stable, for tests and `data-` attributes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SessionLive => "session-live",
            Self::SessionMissing => "session-missing",
            Self::SessionUnsigned => "session-unsigned",
            Self::SessionUnknown => "session-unknown",
            Self::SessionRevoked => "session-revoked",
            Self::SessionExpired => "session-expired",
            Self::SubjectDisabled => "subject-disabled",
            Self::TokenValid => "token-valid",
            Self::TokenMissing => "token-missing",
            Self::TokenRefused(refusal) => refusal.code(),
            Self::TokenOfOtherSubject => "token-of-other-subject",
            Self::TokenUnreadable => "token-unreadable",
            Self::DeniedInMemory => "denied-in-memory",
            Self::DeniedInDatabase => "denied-in-database",
        }
    }
}

/// The verdicts of both checks on the credentials of one holder.
pub struct Comparison {
    pub holder: Holder,
    pub service: Service,
    pub session: Verdict,
    pub token: Verdict,
}

impl Comparison {
    /// Whether the visitor's own browser is refused on either side.
    pub fn refuses_browser(&self) -> bool {
        self.holder == Holder::Browser && !(self.session.is_admitted() && self.token.is_admitted())
    }
}

/// A verdict before its duration is known.
struct Decision {
    role: Option<SubjectRole>,
    reason: Reason,
    since: Option<Moment>,
    until: Option<Moment>,
    decided_by: SourceLine,
    queries: u32,
}

impl Decision {
    fn queries(self, queries: u32) -> Self {
        Self { queries, ..self }
    }

    fn since(self, since: Moment) -> Self {
        Self { since: Some(since), ..self }
    }

    fn until(self, until: Moment) -> Self {
        Self { until: Some(until), ..self }
    }

    fn timed(self, started: Instant) -> Verdict {
        let Self { role, reason, since, until, decided_by, queries } = self;
        Verdict { role, reason, since, until, decided_by, queries, took: started.elapsed() }
    }
}

#[track_caller]
fn admitted(role: SubjectRole, reason: Reason) -> Decision {
    decision(Some(role), reason)
}

#[track_caller]
fn refused(reason: Reason) -> Decision {
    decision(None, reason)
}

#[track_caller]
fn decision(role: Option<SubjectRole>, reason: Reason) -> Decision {
    let decided_by = SourceLine::at(Location::caller());
    Decision { role, reason, since: None, until: None, decided_by, queries: 0 }
}

impl SourceLine {
    fn at(location: &Location<'static>) -> Self {
        let text = SOURCE.lines().nth(location.line() as usize - 1).unwrap_or_default().trim();
        Self { file: location.file(), number: location.line(), text }
    }
}

impl Verdict {
    pub fn is_admitted(&self) -> bool {
        self.role.is_some()
    }
}

impl Lab {
    /// Presents `credentials` to both checks of `service`.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: no verdict, so no access.
    pub async fn compare(
        &self,
        run: &Run,
        holder: Holder,
        service: Service,
        credentials: &CredentialSet,
    ) -> Result<Comparison, Fault> {
        let session = self.check_session(run, credentials.session.as_deref()).await?;
        let token = self.check_token(run, service, credentials.access.as_deref()).await?;
        Ok(Comparison { holder, service, session, token })
    }

    /// Looks up the session of a cookie. Every service reads the same table, so the result does not depend on the
    /// service.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: no verdict, so no access.
    pub async fn check_session(&self, run: &Run, cookie: Option<&str>) -> Result<Verdict, Fault> {
        let started = Instant::now();
        let Some(cookie) = cookie else {
            return Ok(refused(Reason::SessionMissing).timed(started));
        };
        let Some(key) = self.verified_key(cookie) else {
            return Ok(refused(Reason::SessionUnsigned).timed(started));
        };
        let found = self.sessions.find(&key).await?;
        if let Some(live) = found.filter(|live| live.record.principal == run.principal()) {
            let decision = admitted(live.owner.role, Reason::SessionLive).queries(1);
            let record = &live.record;
            let verdict = decision.since(record.created_at).until(record.expires_at).timed(started);
            // As in the product, "last seen" is written after the decision.
            self.sessions.flush_touches().await?;
            return Ok(verdict);
        }
        let verdict = refused(Reason::SessionUnknown).queries(1).timed(started);
        self.with_cause(run, &key, verdict).await
    }

    /// Adds why no live session was found. The page shows it; the decision did not need it.
    async fn with_cause(&self, run: &Run, key: &Key, mut verdict: Verdict) -> Result<Verdict, Fault> {
        let (id, hash) = (run.id, key.hash());
        let row = self.db.read(move |conn| queries::session_end(conn, id, &hash)).await?;
        (verdict.reason, verdict.since) = match row {
            None => (Reason::SessionUnknown, None),
            Some((Some(revoked_at), _)) => (Reason::SessionRevoked, Some(revoked_at)),
            Some((None, expires_at)) if expires_at <= run.now => (Reason::SessionExpired, Some(expires_at)),
            Some(_) => (Reason::SubjectDisabled, run.disabled_at),
        };
        Ok(verdict)
    }

    /// Verifies a token: its signature, its claims, and the deny-list if there is one.
    ///
    /// # Errors
    /// Any [`Fault`] of the database that holds the deny-list: no verdict, so no access.
    pub async fn check_token(
        &self,
        run: &Run,
        service: Service,
        token: Option<&str>,
    ) -> Result<Verdict, Fault> {
        let verifier = run.verifier(&self.secret, service);
        let started = Instant::now();
        let Some(token) = token else {
            return Ok(refused(Reason::TokenMissing).timed(started));
        };
        let claims = match verifier.verify(TokenUse::Access, token, run.token_time()) {
            Ok(claims) => claims,
            Err(Refusal::Expired { at }) => {
                let decision = refused(Reason::TokenRefused(Refusal::Expired { at }));
                return Ok(decision.since(run.actual_time(at)).timed(started));
            }
            Err(refusal) => return Ok(refused(Reason::TokenRefused(refusal)).timed(started)),
        };
        if claims.sub != run.id.to_string() {
            return Ok(refused(Reason::TokenOfOtherSubject).timed(started));
        }
        let (Some(role), Ok(id)) = (SubjectRole::parse(&claims.role), claims.jti.parse()) else {
            return Ok(refused(Reason::TokenUnreadable).timed(started));
        };
        let (issued_at, expires_at) = (run.actual_time(claims.iat), run.actual_time(claims.exp));
        match run.deny_list {
            DenyList::None => {}
            DenyList::Memory => {
                if service == Service::Shop && self.memory_deny_list.denies(run.id, id) {
                    return Ok(refused(Reason::DeniedInMemory).timed(started));
                }
            }
            DenyList::Database => {
                let denied = self.db.read(move |conn| queries::denied_at(conn, id)).await?;
                if let Some(at) = denied {
                    return Ok(refused(Reason::DeniedInDatabase).queries(1).since(at).timed(started));
                }
            }
        }
        let queries = u32::from(run.deny_list == DenyList::Database);
        let decision = admitted(role, Reason::TokenValid).queries(queries);
        Ok(decision.since(issued_at).until(expires_at).timed(started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_the_line_that_made_it() {
        let decision = refused(Reason::TokenMissing);
        assert_eq!(decision.decided_by.text, "let decision = refused(Reason::TokenMissing);");
        assert!(decision.decided_by.file.ends_with("check.rs"));
    }
}
