//! Carrying out a clean-up. Every operation that takes something back calls [`Cleaner::clean_up`], which does what
//! [`fate`] says, so that no operation forgets a part of what a thief may have left.

mod model;
pub(crate) mod queries;
mod table;

use time::OffsetDateTime;

use crate::audit::{Act, Entry};
use crate::cleanup::queries::AskedBy;
use crate::db::time::Moment;
use crate::db::{Db, Fault};
use crate::factors::Factors;
use crate::identity::{Client, Email, User, UserId};
use crate::notices::{Notices, Purpose};
use crate::secret::TokenHash;
use latchkey_sessions::{Handle, SessionTx, Store};

pub use model::{Cleanup, Fate, Reach, Trace, fate};
pub use table::table;

/// Rows deleted in one statement when all users are logged out.
const BATCH: i64 = 10_000;

/// A clean-up of one account. The fields that a kind does not need stay empty.
pub(crate) struct Request<'a> {
    kind: Cleanup,
    user: UserId,
    /// With [`Reach::One`] the session to end, with [`Reach::Others`] the one that remains.
    session: Option<Handle>,
    /// The browser in which it is carried out. It stays known.
    browser: Option<TokenHash>,
    /// What was added from then on is not the owner's.
    since: Option<OffsetDateTime>,
    /// The address that the account gets back, and when the change that is taken back was carried out.
    restored: Option<(&'a Email, OffsetDateTime)>,
    /// For the record; `None` for a mailed link and for the operator.
    actor: Option<UserId>,
    client: &'a Client,
}

/// What a clean-up removed.
#[derive(Default)]
pub(crate) struct Removed {
    pub sessions: usize,
    pub factors: usize,
}

impl<'a> Request<'a> {
    /// By a mailed link, or by the operator.
    pub fn new(kind: Cleanup, user: UserId, client: &'a Client) -> Self {
        Self { kind, user, session: None, browser: None, since: None, restored: None, actor: None, client }
    }

    /// By a user who is logged in.
    pub fn by(self, actor: Option<UserId>) -> Self {
        Self { actor, ..self }
    }

    pub fn session(self, session: Handle) -> Self {
        Self { session: Some(session), ..self }
    }

    /// The owner does it in this browser.
    pub fn here(self) -> Self {
        Self { browser: self.client.browser, ..self }
    }

    pub fn since(self, since: OffsetDateTime) -> Self {
        Self { since: Some(since), ..self }
    }

    pub fn restored(self, email: &'a Email, changed_at: OffsetDateTime) -> Self {
        Self { restored: Some((email, changed_at)), ..self }
    }

    fn write(&self, change: &mut SessionTx<'_>, act: Act, detail: &str) -> Result<(), Fault> {
        Entry::on(act, self.actor, self.user, self.client).detail(detail).write(change)
    }

    fn began(&self) -> Result<OffsetDateTime, Fault> {
        self.since
            .ok_or_else(|| Fault::bug(format_args!("{:?} without the moment it goes back to", self.kind)))
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disowned {
    /// A reset link is on its way.
    ResetMailed,
    /// The account goes by another address by now, where a link would reach whoever changed that. The letter about
    /// the change has the way back.
    AddressChanged,
}

/// Removes what an operation must not leave behind.
#[derive(Clone)]
pub struct Cleaner {
    pub(crate) db: Db,
    pub(crate) sessions: Store<User>,
    pub(crate) notices: Notices,
    pub(crate) factors: Factors,
}

impl Cleaner {
    pub(crate) fn new(factors: &Factors) -> Self {
        Self {
            db: factors.db.clone(),
            sessions: factors.sessions.clone(),
            notices: factors.notices.clone(),
            factors: factors.clone(),
        }
    }

    /// Removes what [`fate`] says goes. The caller has locked the user's row, except for logging out, and writes the
    /// event of the operation itself.
    pub(crate) fn clean_up(
        &self,
        change: &mut SessionTx<'_>,
        request: &Request<'_>,
    ) -> Result<Removed, Fault> {
        let mut removed = Removed { sessions: self.end_sessions(change, request)?, factors: 0 };
        if request.kind.reach() == Reach::One && removed.sessions == 0 {
            // No live session of theirs: there is nothing of it to clean up.
            return Ok(removed);
        }
        for trace in Trace::ALL {
            if fate(request.kind, *trace).goes() {
                self.remove(change, request, *trace, &mut removed)?;
            }
        }
        Ok(removed)
    }

    fn end_sessions(&self, change: &mut SessionTx<'_>, request: &Request<'_>) -> Result<usize, Fault> {
        let principal = request.user.principal();
        match (request.kind.reach(), request.session) {
            (Reach::None, _) => Ok(0),
            (Reach::One, Some(handle)) => {
                Ok(usize::from(self.sessions.revoke(change, handle, Some(principal))?.is_some()))
            }
            (Reach::Others, Some(here)) => self.sessions.revoke_all(change, principal, Some(here)),
            (Reach::All, _) => self.sessions.revoke_all(change, principal, None),
            (reach, None) => Err(Fault::bug(format_args!("{:?} ends {reach:?} of no session", request.kind))),
        }
    }

    fn remove(
        &self,
        change: &mut SessionTx<'_>,
        request: &Request<'_>,
        trace: Trace,
        removed: &mut Removed,
    ) -> Result<(), Fault> {
        let user = request.user;
        match trace {
            // Ended already, with all that works only in a session.
            Trace::Session
            | Trace::SessionInSameBrowser
            | Trace::SessionInOtherBrowser
            | Trace::OpenForm
            | Trace::PasskeyCeremony => Ok(()),
            Trace::KnownDevice => match (request.kind.reach(), request.session) {
                (Reach::One, Some(session)) => {
                    queries::forget_browser_of(change, user, session, request.browser.as_ref())
                }
                _ => queries::forget_browsers(change, user, request.browser.as_ref()),
            },
            Trace::PendingLogin => crate::factors::queries::delete_pending_of(change, user),
            Trace::PendingEmailChange => self.cancel_email_changes(change, request),
            // The operation itself gives the account its old address, or its new password.
            Trace::ChangedAddress => Ok(()),
            Trace::NewPassword => queries::drop_password(change, user),
            Trace::LinksToChangedAddress => match request.restored {
                // Not since the request, which a thief may have begun before the owner's own link was mailed.
                Some((email, changed_at)) => queries::delete_links_elsewhere(change, user, email, changed_at),
                None => Ok(()),
            },
            Trace::ResetLink => crate::notices::queries::delete_user_tokens(change, user),
            Trace::UnlockLink => {
                crate::notices::queries::delete_links(change, user, &[Purpose::Unlock]).map(drop)
            }
            Trace::AuthenticatorApp => {
                removed.factors += queries::delete_totp_since(change, user, request.began()?)?;
                self.factors.after_removal(change, user)
            }
            Trace::Passkey => {
                removed.factors += queries::delete_passkeys_since(change, user, request.began()?)?;
                self.factors.after_removal(change, user)
            }
            Trace::RecoveryCodes => {
                removed.factors += queries::delete_recovery_codes_since(change, user, request.began()?)?;
                Ok(())
            }
            Trace::PasskeyStepOff => {
                removed.factors += queries::take_back_passkey_step(change, user, request.began()?)?;
                Ok(())
            }
            Trace::Invitation => {
                for email in queries::withdraw_invitations_by(change, user, request.since)? {
                    request.write(change, Act::InvitationWithdrawn, &email)?;
                }
                Ok(())
            }
            // Never: see the test of the model.
            Trace::OwnersUndoLinks => Ok(()),
        }
    }

    fn cancel_email_changes(&self, change: &mut SessionTx<'_>, request: &Request<'_>) -> Result<(), Fault> {
        let cancelled = match (request.kind, request.session) {
            (Cleanup::EndOthers, Some(here)) => {
                queries::cancel_email_changes(change, request.user, AskedBy::Others(here))?
            }
            (kind, Some(asked)) if kind.reach() == Reach::One => {
                queries::cancel_email_changes(change, request.user, AskedBy::Session(asked))?
            }
            _ => crate::notices::queries::delete_links(change, request.user, &[Purpose::ConfirmEmail])?,
        };
        match cancelled {
            0 => Ok(()),
            _ => request.write(change, Act::EmailChangeCancelled, ""),
        }
    }

    /// What [`Cleaner::clean_up`] does besides ending sessions, for all users: removes what existed at
    /// `begun`.
    pub(crate) async fn clean_up_everybody(&self, begun: Moment) -> Result<(), Fault> {
        for trace in Trace::ALL {
            if !fate(Cleanup::EndEverybody, *trace).goes() {
                continue;
            }
            loop {
                let trace = *trace;
                let gone = self
                    .db
                    .write(move |conn| match trace {
                        Trace::KnownDevice => queries::forget_everybodys_browsers(conn, begun, BATCH),
                        Trace::PendingLogin => queries::delete_everybodys_pending(conn, begun, BATCH),
                        Trace::PendingEmailChange => {
                            queries::cancel_everybodys_email_changes(conn, begun, BATCH)
                        }
                        _ => Ok(0),
                    })
                    .await?;
                if gone == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// After a clean-up that took the password: a requested deletion is cancelled, and a link to set a new password goes
    /// to the owner, unless the account goes by another address by now than the one that the pressed link was mailed to
    /// (`email`).
    pub(crate) fn mail_reset_to_owner(
        &self,
        change: &mut SessionTx<'_>,
        user: UserId,
        email: Option<&str>,
        client: &Client,
    ) -> Result<Disowned, Fault> {
        self.restore(change, user, client)?;
        let owner = crate::identity::queries::addressee(change, user)?;
        let Some(owner) = owner.filter(|owner| email == Some(owner.email.as_str())) else {
            return Ok(Disowned::AddressChanged);
        };
        self.notices.mail_reset(change, &owner)?;
        Entry::nobody(Act::ResetRequested, Some(user), client).write(change)?;
        Ok(Disowned::ResetMailed)
    }

    /// Whoever logs in stays; says whether they were about to go. The user's row is locked.
    pub(crate) fn restore(
        &self,
        change: &mut SessionTx<'_>,
        user: UserId,
        client: &Client,
    ) -> Result<bool, Fault> {
        let restored = queries::clear_leaving(change, user)?;
        if restored {
            Entry::own(Act::DeletionCancelled, user, client).write(change)?;
        }
        Ok(restored)
    }
}
