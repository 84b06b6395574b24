//! Second factors: authenticator apps, recovery codes, passkeys.

mod base32;
mod codes;
mod passkeys;
pub(crate) mod queries;
mod recovery_codes;
mod totp;
mod undo_factor;

pub use codes::{CodeRefusal, FactorStatus, TotpState};
pub(crate) use codes::{Place, factors};
pub(crate) use passkeys::RelyingParty;
pub use passkeys::{
    Assertion, Attestation, Binding, Passkey, PasskeyAdded, PasskeyId, PasskeyRefusal, PasskeyStep,
    StepChange,
};
pub use recovery_codes::{CodesRefusal, NewCodes, RecoveryCodes};
pub use totp::{Enrolment, TotpRefusal};

use crate::config::{Misconfigured, Settings};
use crate::db::Db;
use crate::identity::User;
use crate::notices::Notices;
use crate::secret::Secret;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// Adds, proves and removes second factors.
#[derive(Clone)]
pub struct Factors {
    pub(crate) db: Db,
    pub(crate) sessions: Store<User>,
    pub(crate) notices: Notices,
    pub(crate) throttle: Throttle,
    secret: Secret,
    relying: RelyingParty,
}

impl Factors {
    pub(crate) fn new(
        sessions: Store<User>,
        notices: Notices,
        throttle: Throttle,
        settings: &Settings,
    ) -> Result<Self, Misconfigured> {
        Ok(Self {
            db: notices.db.clone(),
            sessions,
            notices,
            throttle,
            secret: settings.secret.clone(),
            relying: RelyingParty::new(&settings.server.public)?,
        })
    }
}
