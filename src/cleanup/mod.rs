//! Clean-ups of an account. Every operation that ends or undoes something calls [`Cleaner::clean_up`], which applies
//! [`effect`], so that no operation forgets something that an attacker may have left.

mod model;
pub(crate) mod queries;
mod request;
mod table;
mod tokens;

use std::sync::Arc;

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::queries::RequestedBy;
use crate::cleanup::tokens::{record_revoked, revoke_tokens};
use crate::db::Fault;
use crate::db::time::Moment;
use crate::factors::Factors;
use crate::identity::{Client, User, UserId};
use crate::notices::{LinkPurpose, Notices};
use latchkey_sessions::{SessionTx, Store};

pub use model::{Artifact, Cleanup, Effect, SessionScope, effect};
pub(crate) use request::CleanupRequest;
pub use table::table;
pub use tokens::SCOPES_OF_MEMBERS;
pub(crate) use tokens::revoke_tokens_of_app;

/// Rows deleted in one statement when the sessions of all users end.
const BATCH: i64 = 10_000;

/// The same for tokens, each of which is recorded.
const TOKEN_BATCH: i64 = 1_000;

/// What a clean-up removed.
#[derive(Default)]
pub(crate) struct RemovedCounts {
    pub sessions: usize,
    pub factors: usize,
}

/// Whether the owner gets a reset link after a clean-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerReset {
    /// The reset link is in the outbox.
    Mailed,
    /// No link was sent: the address was changed since, and the link would reach the user who changed it. The notice
    /// about that change has a link that undoes it.
    AddressChanged,
}

/// Removes what an operation must not leave in an account.
#[derive(Clone)]
pub struct Cleaner {
    pub(crate) sessions: Store<User>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) factors: Arc<Factors>,
}

impl Cleaner {
    pub(crate) fn new(factors: &Arc<Factors>) -> Self {
        Self {
            sessions: factors.sessions.clone(),
            notices: factors.notices.clone(),
            factors: factors.clone(),
        }
    }

    /// Removes what [`effect`] says is removed. The caller has locked the user's row, except to log out, and writes the
    /// event of the operation itself.
    pub(crate) fn clean_up(
        &self,
        tx: &mut SessionTx<'_>,
        request: &CleanupRequest<'_>,
    ) -> Result<RemovedCounts, Fault> {
        if effect(request.kind, Artifact::AppKeyOfOtherSession).is_removed() {
            // Before the sessions, because the exchange of a code locks the code first, then the session.
            queries::delete_app_entries(tx, request.user)?;
        }
        let mut removed = RemovedCounts { sessions: self.end_sessions(tx, request)?, factors: 0 };
        if request.kind.session_scope() == SessionScope::One && removed.sessions == 0 {
            // The user has no such live session, so there is nothing to clean up.
            return Ok(removed);
        }
        for artifact in Artifact::ALL {
            if effect(request.kind, *artifact).is_removed() {
                self.remove(tx, request, *artifact, &mut removed)?;
            }
        }
        Ok(removed)
    }

    fn end_sessions(&self, tx: &mut SessionTx<'_>, request: &CleanupRequest<'_>) -> Result<usize, Fault> {
        let principal = request.user.principal();
        match (request.kind.session_scope(), request.session) {
            (SessionScope::None, _) => Ok(0),
            (SessionScope::One, Some(handle)) => {
                Ok(usize::from(self.sessions.revoke(tx, handle, Some(principal))?.is_some()))
            }
            (SessionScope::Others, Some(here)) => self.sessions.revoke_all(tx, principal, Some(here)),
            // With a token of the operator, no session remains.
            (SessionScope::Others, None) if request.kind == Cleanup::EndOthers => {
                self.sessions.revoke_all(tx, principal, None)
            }
            (SessionScope::All, _) => self.sessions.revoke_all(tx, principal, None),
            (scope, None) => {
                Err(Fault::bug(format_args!("{:?} needs a session for {scope:?}", request.kind)))
            }
        }
    }

    fn remove(
        &self,
        tx: &mut SessionTx<'_>,
        request: &CleanupRequest<'_>,
        artifact: Artifact,
        removed: &mut RemovedCounts,
    ) -> Result<(), Fault> {
        let user = request.user;
        match artifact {
            // Ended with the session.
            Artifact::Session
            | Artifact::SessionInSameBrowser
            | Artifact::SessionInOtherBrowser
            | Artifact::AppKey
            | Artifact::OpenForm
            | Artifact::PasskeyCeremony => Ok(()),
            // This includes the app keys of the session itself, if it stays.
            Artifact::AppKeyOfOtherSession => {
                self.sessions.end_scoped_keys_of_principal(tx, user.principal()).map(drop)
            }
            Artifact::Token | Artifact::OlderToken => revoke_tokens(tx, request, artifact),
            Artifact::KnownDevice => match (request.kind.session_scope(), request.session) {
                (SessionScope::One, Some(session)) => {
                    queries::forget_device_of_session(tx, user, session, request.browser.as_ref())
                }
                _ => queries::forget_known_devices(tx, user, request.browser.as_ref()),
            },
            Artifact::PendingLogin => crate::factors::queries::delete_pending_logins_of(tx, user),
            Artifact::PendingEmailChange => self.cancel_email_changes(tx, request),
            // The operation itself restores the address.
            Artifact::ChangedAddress => Ok(()),
            Artifact::NewPassword => queries::clear_password(tx, user),
            Artifact::LinksToChangedAddress => match request.restored {
                // Since the confirmation, not since the request: an attacker may have made the request before a link was
                // mailed to the owner.
                Some((email, changed_at)) => queries::delete_links_elsewhere(tx, user, email, changed_at),
                None => Ok(()),
            },
            Artifact::ResetLink => crate::notices::queries::delete_user_tokens(tx, user),
            Artifact::UnlockLink => {
                crate::notices::queries::delete_links(tx, user, &[LinkPurpose::Unlock]).map(drop)
            }
            Artifact::AuthenticatorApp => {
                removed.factors += queries::delete_totp_since(tx, user, request.since_or_bug()?)?;
                self.factors.clean_up_after_removal(tx, user)
            }
            Artifact::Passkey => {
                removed.factors += queries::delete_passkeys_since(tx, user, request.since_or_bug()?)?;
                self.factors.clean_up_after_removal(tx, user)
            }
            Artifact::RecoveryCodes => {
                removed.factors += queries::delete_recovery_codes_since(tx, user, request.since_or_bug()?)?;
                Ok(())
            }
            Artifact::PasskeyStepOff => {
                removed.factors += queries::revert_password_alone_choice(tx, user, request.since_or_bug()?)?;
                Ok(())
            }
            Artifact::Invitation => {
                for email in queries::withdraw_invitations_by(tx, user, request.since)? {
                    request.write(tx, AuditAction::InvitationWithdrawn, &email)?;
                }
                Ok(())
            }
            // No clean-up removes them: see the test of the model.
            Artifact::OwnersUndoLinks => Ok(()),
        }
    }

    fn cancel_email_changes(
        &self,
        tx: &mut SessionTx<'_>,
        request: &CleanupRequest<'_>,
    ) -> Result<(), Fault> {
        let cancelled = match (request.kind, request.session) {
            (Cleanup::EndOthers, Some(here)) => {
                queries::cancel_email_changes(tx, request.user, RequestedBy::Others(here))?
            }
            (kind, Some(asked)) if kind.session_scope() == SessionScope::One => {
                queries::cancel_email_changes(tx, request.user, RequestedBy::Session(asked))?
            }
            _ => crate::notices::queries::delete_links(tx, request.user, &[LinkPurpose::ConfirmEmail])?,
        };
        match cancelled {
            0 => Ok(()),
            _ => request.write(tx, AuditAction::EmailChangeCancelled, ""),
        }
    }

    /// As [`Cleaner::clean_up`] for all users, except for the sessions: removes what existed at `until`.
    pub(crate) async fn clean_up_all_users(&self, until: Moment, client: &Client) -> Result<(), Fault> {
        for artifact in Artifact::ALL {
            if !effect(Cleanup::EndAllSessions, *artifact).is_removed() {
                continue;
            }
            loop {
                let (artifact, client) = (*artifact, client.clone());
                let deleted = self
                    .sessions
                    .write(move |tx| match artifact {
                        Artifact::OlderToken => {
                            tx.invalidates();
                            let (deleted, revoked) = queries::delete_tokens_of_all(tx, until, TOKEN_BATCH)?;
                            record_revoked(tx, revoked, None, &client)?;
                            Ok(deleted)
                        }
                        Artifact::KnownDevice => queries::forget_known_devices_of_all(tx, until, BATCH),
                        Artifact::PendingLogin => queries::delete_pending_logins_of_all(tx, until, BATCH),
                        Artifact::PendingEmailChange => {
                            queries::cancel_email_changes_of_all(tx, until, BATCH)
                        }
                        _ => Ok(0),
                    })
                    .await?;
                if deleted == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// After a clean-up that removed the password: cancels a requested deletion and mails a reset link to the owner, unless
    /// the address has changed since the used link was mailed to `email`.
    pub(crate) fn mail_reset_to_owner(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        email: Option<&str>,
        client: &Client,
    ) -> Result<OwnerReset, Fault> {
        self.cancel_deletion(tx, user, client)?;
        let owner = crate::identity::queries::recipient(tx, user)?;
        let Some(owner) = owner.filter(|owner| email == Some(owner.email.as_str())) else {
            return Ok(OwnerReset::AddressChanged);
        };
        self.notices.send_reset_link(tx, &owner)?;
        NewEvent::unproven(AuditAction::ResetRequested, Some(user), client).write(tx)?;
        Ok(OwnerReset::Mailed)
    }

    /// Cancels a requested deletion; `false` if none was requested. The caller has locked the user's row.
    pub(crate) fn cancel_deletion(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        client: &Client,
    ) -> Result<bool, Fault> {
        let cancelled = queries::clear_delete_after(tx, user)?;
        if cancelled {
            NewEvent::by_owner(AuditAction::DeletionCancelled, user, client).write(tx)?;
        }
        Ok(cancelled)
    }
}
