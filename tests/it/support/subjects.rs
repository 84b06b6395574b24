//! The subjects by which tests find an email, so that a changed subject changes one line here.

pub const VERIFY_EMAIL: &str = "Confirm your email address";
pub const ALREADY_REGISTERED: &str = "You already have an account";
pub const RESET_PASSWORD: &str = "Set a new password";
pub const CONFIRM_EMAIL: &str = "Confirm your new email address";
pub const INVITATION: &str = "You're invited to Latchkey";
pub const PASSWORD_CHANGED: &str = "Your password was changed";
pub const EMAIL_CHANGED: &str = "Your email address was changed";
pub const EMAIL_CHANGE_ASKED: &str = "A new email address was requested";
pub const ADDRESS_RESERVED: &str = "Your old address was entered for another account";
pub const EMAIL_WANTED: &str = "Your address was entered for another account";
pub const LEAVING: &str = "Your account will be deleted";
pub const FACTOR_ADDED: &str = "A way to log in was added";
pub const TOKEN_CREATED: &str = "An access token was created";
pub const FACTOR_REMOVED: &str = "A way to log in was removed";
pub const PASSKEY_STEP_OFF: &str = "Your password alone now logs you in";
pub const FACTOR_LOCKED: &str = "Your authenticator app is locked";
pub const PASSKEY_COPIED: &str = "One of your passkeys was refused";
pub const NEW_DEVICE: &str = "New log-in to your account";
pub const SECOND_STEP_MISSING: &str = "Your password was entered in a new browser";
pub const REPEATED_FAILURES: &str = "Someone is guessing your password";
pub const PASSWORD_LOCKED: &str = "Your password is locked";
