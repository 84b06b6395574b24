//! Second factors: authenticator apps, recovery codes and passkeys.

mod base32;
mod changes;
mod passkeys;
pub(crate) mod queries;
mod recovery_codes;
mod status;
mod totp;
mod undo_link;
mod verify_code;

pub(crate) use passkeys::RelyingParty;
pub use passkeys::{
    AddedPasskey, Assertion, Attestation, BrowserBinding, Passkey, PasskeyId, PasskeyRefusal, PasskeyStep,
    PasskeyStepChange,
};
pub use recovery_codes::{NewRecoveryCodes, RecoveryCodes, RecoveryCodesRefusal};
pub(crate) use status::factor_status;
pub use status::{FactorStatus, TotpState};
pub use totp::{TotpEnrolment, TotpRefusal};
pub(crate) use verify_code::AttemptScope;
pub use verify_code::CodeRefusal;

use std::sync::Arc;

use crate::config::{Misconfigured, Settings};
use crate::db::Db;
use crate::identity::User;
use crate::notices::Notices;
use crate::secret::Secret;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// Adds, verifies and removes second factors.
#[derive(Clone)]
pub struct Factors {
    pub(crate) db: Db,
    pub(crate) sessions: Store<User>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) throttle: Arc<Throttle>,
    secret: Secret,
    relying_party: RelyingParty,
}

impl Factors {
    pub(crate) fn new(
        sessions: Store<User>,
        notices: Arc<Notices>,
        throttle: Arc<Throttle>,
        settings: &Settings,
    ) -> Result<Self, Misconfigured> {
        Ok(Self {
            db: notices.db.clone(),
            sessions,
            notices,
            throttle,
            secret: settings.secret.clone(),
            relying_party: RelyingParty::new(&settings.server.public)?,
        })
    }
}
