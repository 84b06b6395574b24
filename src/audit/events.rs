//! What happened: written in the transaction of the change, so that neither stands without the other.

use diesel::pg::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::queries;
use crate::db::Fault;
use crate::identity::{Agent, Client, UserId};
use latchkey_sessions::Handle;

macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident = $text:literal),* $(,)?) => {
        /// Everything that is recorded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Act { $($(#[$doc])* $act),* }

        impl Act {
            pub const ALL: &[Self] = &[$(Self::$act),*];

            /// The name in the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$act => $text),* }
            }
        }
    };
}

acts! {
    Registered = "registered",
    LoggedIn = "logged-in",
    /// Wrong password, unknown address, or throttled.
    LogInRefused = "log-in-refused",
    LoggedOut = "logged-out",
    Confirmed = "confirmed",
    ConfirmRefused = "confirm-refused",
    PasswordChanged = "password-changed",
    PasswordReset = "password-reset",
    ResetRequested = "reset-requested",
    /// After too many wrong ones.
    PasswordLocked = "password-locked",
    PasswordUnlocked = "password-unlocked",
    NameChanged = "name-changed",
    EmailChangeAsked = "email-change-asked",
    /// By its owner, or by a clean-up.
    EmailChangeCancelled = "email-change-cancelled",
    EmailChanged = "email-changed",
    /// With the link sent to the old address.
    EmailRestored = "email-restored",
    SessionRevoked = "session-revoked",
    /// "This was not me", said with a mailed link.
    SessionDisowned = "session-disowned",
    SessionsRevoked = "sessions-revoked",
    RoleChanged = "role-changed",
    Disabled = "disabled",
    Enabled = "enabled",
    Invited = "invited",
    InvitationWithdrawn = "invitation-withdrawn",
    SetUp = "set-up",
    /// The right password of somebody who has a second factor.
    PasswordAccepted = "password-accepted",
    SecondFactorRefused = "second-factor-refused",
    TotpAdded = "authenticator-added",
    TotpRemoved = "authenticator-removed",
    /// Too many wrong codes.
    TotpLocked = "authenticator-locked",
    RecoveryCodesMade = "recovery-codes-made",
    RecoveryCodeUsed = "recovery-code-used",
    FactorsReset = "factors-reset",
    /// Its owner had not added it.
    FactorDisowned = "factor-disowned",
    /// Moved in from elsewhere with the password hash they had there.
    Imported = "imported",
    /// A password from elsewhere was right, and is hashed as ours are from now on.
    PasswordMovedIn = "password-moved-in",
    PasskeyAdded = "passkey-added",
    PasskeyRenamed = "passkey-renamed",
    PasskeyRemoved = "passkey-removed",
    /// It is asked for after the password.
    PasskeyStepOn = "passkey-step-on",
    /// The password alone logs in although there is one.
    PasskeyStepOff = "passkey-step-off",
    /// A signature by a passkey we know that was not good enough.
    PasskeyRefused = "passkey-refused",
    /// The same, because its counter went back: there may be a copy of it.
    PasskeyCopied = "passkey-copied",
    Exported = "exported",
    DeletionRequested = "deletion-requested",
    /// They logged in while there was time.
    DeletionCancelled = "deletion-cancelled",
    /// What the trail keeps of them may be erased from here on.
    Deleted = "deleted",
}

impl Act {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.as_str() == text)
    }
}

/// One line of the trail.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: OffsetDateTime,
    pub act: Option<Act>,
    pub actor: Option<UserId>,
    pub actor_name: Option<String>,
    pub subject: Option<UserId>,
    pub subject_name: Option<String>,
    pub address: String,
    pub agent: Agent,
    pub detail: String,
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
    /// Someone who has not proven who they are, such as at a refused log-in or with a mailed link.
    Unproven,
}

impl Event {
    /// What the browser calls itself; empty for what no browser caused.
    pub fn browser(&self) -> &str {
        match &self.agent {
            Agent::Operator => "",
            Agent::Browser(name) => name,
        }
    }

    pub fn by(&self) -> Actor {
        match self.actor {
            Some(actor) if self.subject == Some(actor) => Actor::Owner(actor),
            Some(actor) => Actor::Admin(actor),
            None if self.act == Some(Act::Deleted) => Actor::Instance,
            None if self.agent == Agent::Operator => Actor::Operator,
            None => Actor::Unproven,
        }
    }
}

/// An event about to be written.
pub(crate) struct Entry<'a> {
    pub act: Act,
    pub actor: Option<UserId>,
    pub subject: Option<UserId>,
    pub session: Option<Handle>,
    pub client: &'a Client,
    /// Never a secret.
    pub detail: &'a str,
}

impl<'a> Entry<'a> {
    /// Somebody acting on their own account.
    pub fn own(act: Act, user: UserId, client: &'a Client) -> Self {
        Self { act, actor: Some(user), subject: Some(user), session: None, client, detail: "" }
    }

    /// Somebody acting on the account of another; `None` is the operator.
    pub fn on(act: Act, actor: Option<UserId>, subject: UserId, client: &'a Client) -> Self {
        Self { act, actor, subject: Some(subject), session: None, client, detail: "" }
    }

    /// Nobody known, perhaps at somebody's account.
    pub fn nobody(act: Act, subject: Option<UserId>, client: &'a Client) -> Self {
        Self { act, actor: None, subject, session: None, client, detail: "" }
    }

    pub fn session(mut self, handle: Handle) -> Self {
        self.session = Some(handle);
        self
    }

    pub fn detail(mut self, detail: &'a str) -> Self {
        self.detail = detail;
        self
    }

    pub fn write(self, conn: &mut PgConnection) -> Result<(), Fault> {
        queries::insert_event(conn, &self)
    }
}

impl super::Audit {
    /// What happened to `subject`'s account, newest first, and how much in all.
    pub async fn activity(
        &self,
        subject: UserId,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Event>, i64), Fault> {
        self.db.read(move |conn| queries::events(conn, Some(subject), None, limit, offset)).await
    }

    /// What happened anywhere, newest first; `q` searches names, addresses and acts.
    pub async fn trail(&self, q: &str, limit: i64, offset: i64) -> Result<(Vec<Event>, i64), Fault> {
        let q = q.to_owned();
        self.db.read(move |conn| queries::events(conn, None, Some(&q), limit, offset)).await
    }
}

impl From<UserId> for Uuid {
    fn from(id: UserId) -> Self {
        id.0
    }
}
