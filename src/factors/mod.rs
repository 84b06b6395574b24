//! Second factors: authenticator apps, recovery codes and passkeys.

mod base32;
mod changes;
mod passkeys;
pub(crate) mod queries;
mod recovery_codes;
mod service;
mod status;
mod totp;
mod undo_link;
mod verify_code;

pub use passkeys::{
    AddedPasskey, Assertion, Attestation, BrowserBinding, Passkey, PasskeyId, PasskeyRefusal, PasskeyStep,
    PasskeyStepChange,
};
pub use recovery_codes::{NewRecoveryCodes, RecoveryCodes, RecoveryCodesRefusal};
pub use service::Factors;
pub(crate) use status::factor_status;
pub use status::{FactorStatus, TotpState};
pub use totp::{TotpEnrolment, TotpRefusal};
pub(crate) use verify_code::AttemptScope;
pub use verify_code::CodeRefusal;
