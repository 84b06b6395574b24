//! A clean-up as an operation requests it.

use time::OffsetDateTime;

use super::model::Cleanup;
use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, Email, UserId};
use crate::secret::TokenHash;
use latchkey_sessions::{Handle, SessionTx};

/// A clean-up of one account. Each kind needs some of the fields.
pub(crate) struct CleanupRequest<'a> {
    pub(super) kind: Cleanup,
    pub(super) user: UserId,
    /// For `SessionScope::One` the session to end, for `SessionScope::Others` the session that remains.
    pub(super) session: Option<Handle>,
    /// The browser that requested it, which stays a known device.
    pub(super) browser: Option<TokenHash>,
    /// What was added from then on is removed.
    pub(super) since: Option<OffsetDateTime>,
    /// The address that is restored, and when the undone change was confirmed.
    pub(super) restored: Option<(&'a Email, OffsetDateTime)>,
    /// For the events; `None` for a mailed link and for the operator.
    pub(super) actor: Option<UserId>,
    pub(super) client: &'a Client,
}

impl<'a> CleanupRequest<'a> {
    /// Requested with a mailed link, or by the operator.
    pub fn new(kind: Cleanup, user: UserId, client: &'a Client) -> Self {
        Self { kind, user, session: None, browser: None, since: None, restored: None, actor: None, client }
    }

    /// Requested by a logged-in user.
    pub fn by(self, actor: Option<UserId>) -> Self {
        Self { actor, ..self }
    }

    pub fn session(self, session: impl Into<Option<Handle>>) -> Self {
        Self { session: session.into(), ..self }
    }

    /// Requested by the owner in this browser.
    pub fn in_this_browser(self) -> Self {
        Self { browser: self.client.browser, ..self }
    }

    pub fn since(self, since: OffsetDateTime) -> Self {
        Self { since: Some(since), ..self }
    }

    pub fn restored(self, email: &'a Email, changed_at: OffsetDateTime) -> Self {
        Self { restored: Some((email, changed_at)), ..self }
    }

    pub(super) fn write(&self, tx: &mut SessionTx<'_>, act: AuditAction, detail: &str) -> Result<(), Fault> {
        NewEvent::by_admin(act, self.actor, self.user, self.client).detail(detail).write(tx)
    }

    pub(super) fn since_or_bug(&self) -> Result<OffsetDateTime, Fault> {
        self.since.ok_or_else(|| Fault::bug(format_args!("{:?} without a time to go back to", self.kind)))
    }
}
