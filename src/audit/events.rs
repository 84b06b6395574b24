//! What is recorded: each event is written in the transaction of the change, so that neither exists without the other.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::audit::detail::{DetailReason, EventDetail};
use crate::identity::{Agent, Client, ClientToken, UserId};
use latchkey_sessions::Handle;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $text:literal),* $(,)?) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum AuditAction { $($(#[$doc])* $action),* }

        impl AuditAction {
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// The name in the table. Stored names never change.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$action => $text),* }
            }
        }
    };
}

actions! {
    Registered = "registered",
    LoggedIn = "logged-in",
    /// Wrong password, unknown email address, or throttled.
    LogInRefused = "log-in-refused",
    LoggedOut = "logged-out",
    Confirmed = "confirmed",
    ConfirmRefused = "confirm-refused",
    PasswordChanged = "password-changed",
    PasswordReset = "password-reset",
    ResetRequested = "reset-requested",
    /// After too many wrong passwords.
    PasswordLocked = "password-locked",
    PasswordUnlocked = "password-unlocked",
    NameChanged = "name-changed",
    EmailChangeAsked = "email-change-asked",
    /// By the owner, or by a clean-up.
    EmailChangeCancelled = "email-change-cancelled",
    EmailChanged = "email-changed",
    /// With the link sent to the old address.
    EmailRestored = "email-restored",
    SessionRevoked = "session-revoked",
    /// "This was not me", reported with a mailed link.
    SessionDisowned = "session-disowned",
    SessionsRevoked = "sessions-revoked",
    RoleChanged = "role-changed",
    Disabled = "disabled",
    Enabled = "enabled",
    Invited = "invited",
    InvitationWithdrawn = "invitation-withdrawn",
    SetUp = "set-up",
    /// The password was right, and a second factor is required.
    PasswordAccepted = "password-accepted",
    SecondFactorRefused = "second-factor-refused",
    TotpAdded = "authenticator-added",
    TotpRemoved = "authenticator-removed",
    /// After too many wrong codes.
    TotpLocked = "authenticator-locked",
    RecoveryCodesMade = "recovery-codes-made",
    RecoveryCodeUsed = "recovery-code-used",
    FactorsReset = "factors-reset",
    /// Removed by its owner, who had not added it.
    FactorDisowned = "factor-disowned",
    /// Imported from another system, with the password hash from there.
    Imported = "imported",
    /// The password of an imported user was right and is now hashed with Argon2id.
    PasswordMovedIn = "password-moved-in",
    PasskeyAdded = "passkey-added",
    PasskeyRenamed = "passkey-renamed",
    PasskeyRemoved = "passkey-removed",
    /// A passkey is required after the password.
    PasskeyStepOn = "passkey-step-on",
    /// The password alone logs in, although there is a passkey.
    PasskeyStepOff = "passkey-step-off",
    /// A known passkey, whose signature did not verify.
    PasskeyRefused = "passkey-refused",
    /// The counter of the passkey went back, so there may be a copy of it.
    PasskeyCopied = "passkey-copied",
    /// A session got a key for an app.
    AppEntered = "app.entered",
    AppLeft = "app.left",
    /// The rules of an app refused a user; recorded once an hour for each user and app.
    AppRefused = "app.refused",
    Exported = "exported",
    DeletionRequested = "deletion-requested",
    /// The owner logged in within the grace period.
    DeletionCancelled = "deletion-cancelled",
    /// From here on, the personal data of this user in the trail may be erased.
    Deleted = "deleted",
    AppAdded = "app.added",
    AppChanged = "app.changed",
    AppRemoved = "app.removed",
    /// From a file.
    AppsApplied = "apps.applied",
    GroupAdded = "group.added",
    GroupChanged = "group.changed",
    GroupRemoved = "group.removed",
    GroupJoined = "group.joined",
    GroupLeft = "group.left",
    TokenCreated = "token.created",
    /// By the owner, an administrator, the operator, or a clean-up.
    TokenRevoked = "token.revoked",
}

impl AuditAction {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }
}

/// An event of the trail.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: OffsetDateTime,
    /// `None` if a newer version recorded it.
    pub action: Option<AuditAction>,
    pub actor: Option<UserId>,
    pub actor_name: Option<String>,
    pub subject: Option<UserId>,
    pub subject_name: Option<String>,
    pub address: String,
    pub agent: Agent,
    /// The access token with which the actor caused it.
    pub token: Option<ClientToken>,
    pub detail: String,
}

/// A value before and after a change, as JSON in the detail of an event. Earlier versions recorded only the new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueChange {
    pub from: String,
    pub to: String,
}

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The user it happened to.
    Owner(UserId),
    /// An administrator.
    Admin(UserId),
    /// On the command line.
    Operator,
    /// The instance itself, when a time limit has passed.
    Instance,
    /// A visitor who has not proven who they are, such as at a refused log-in or with a mailed link.
    Unproven,
}

impl Event {
    /// The user agent; empty if no browser caused the event.
    pub fn browser(&self) -> &str {
        match &self.agent {
            Agent::Operator => "",
            Agent::Browser(name) => name,
        }
    }

    /// The values before and after, if the event records them.
    pub fn change(&self) -> Option<ValueChange> {
        serde_json::from_str(&self.detail).ok()
    }

    pub fn by(&self) -> Actor {
        match self.actor {
            Some(actor) if self.subject == Some(actor) => Actor::Owner(actor),
            Some(actor) => Actor::Admin(actor),
            None if self.action == Some(AuditAction::Deleted) => Actor::Instance,
            None if self.agent == Agent::Operator => Actor::Operator,
            None => Actor::Unproven,
        }
    }
}

/// Characters of a detail that is a text.
const TEXT_MAX: usize = 400;

/// An event about to be written.
pub(crate) struct NewEvent<'a> {
    pub action: AuditAction,
    pub actor: Option<UserId>,
    pub subject: Option<UserId>,
    pub session: Option<Handle>,
    pub client: &'a Client,
    /// Data about this event: an address, a stored name or JSON. Never a secret, and no sentence.
    pub detail: Cow<'a, str>,
}

impl<'a> NewEvent<'a> {
    /// A user acts on their own account.
    pub fn by_owner(action: AuditAction, user: UserId, client: &'a Client) -> Self {
        Self {
            action,
            actor: Some(user),
            subject: Some(user),
            session: None,
            client,
            detail: Cow::Borrowed(""),
        }
    }

    /// An administrator acts on the account of a user; an `actor` of `None` is the operator.
    pub fn by_admin(action: AuditAction, actor: Option<UserId>, subject: UserId, client: &'a Client) -> Self {
        Self { action, actor, subject: Some(subject), session: None, client, detail: Cow::Borrowed("") }
    }

    /// An administrator changes something that is not an account. If `actor` is `None`, the operator does.
    pub fn by_administration(action: AuditAction, actor: Option<UserId>, client: &'a Client) -> Self {
        Self { action, actor, subject: None, session: None, client, detail: Cow::Borrowed("") }
    }

    /// A visitor who has not proven who they are, at the account of `subject` if it exists.
    pub fn unproven(action: AuditAction, subject: Option<UserId>, client: &'a Client) -> Self {
        Self { action, actor: None, subject, session: None, client, detail: Cow::Borrowed("") }
    }

    pub fn session(mut self, handle: Handle) -> Self {
        self.session = Some(handle);
        self
    }

    /// A text, which is cut if it is long: a browser may have sent it.
    pub fn detail(mut self, detail: &'a str) -> Self {
        let end = detail.char_indices().nth(TEXT_MAX).map_or(detail.len(), |(end, _)| end);
        self.detail = Cow::Borrowed(&detail[..end]);
        self
    }

    pub fn data(mut self, detail: &EventDetail) -> Self {
        self.detail = Cow::Owned(detail.json());
        self
    }

    pub fn reason(self, reason: DetailReason) -> Self {
        self.data(&EventDetail::reason(reason))
    }

    /// Records a value before and after the change.
    pub fn change(mut self, from: &str, to: &str) -> Self {
        let change = ValueChange { from: from.to_owned(), to: to.to_owned() };
        self.detail = Cow::Owned(serde_json::to_string(&change).unwrap_or_default());
        self
    }
}
