//! Passkeys, and the ceremonies in which they are registered and used (W3C Web Authentication, Level 3). An authenticator
//! verifies its user by itself, so one passkey is two factors (NIST SP 800-63B-4 §2.2.1).

mod ceremony;
mod manage;
pub(super) mod model;
mod password_alone;
mod register;
mod relying_party;
mod responses;
mod verify;

pub use model::{BrowserBinding, Passkey, PasskeyId, PasskeyRefusal};
pub use password_alone::{PasskeyStep, PasskeyStepChange};
pub use register::AddedPasskey;
pub(crate) use relying_party::RelyingParty;
pub use responses::{Assertion, Attestation};
