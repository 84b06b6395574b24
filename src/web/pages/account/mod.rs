//! The pages of a user's own account.

pub mod activity;
pub mod email;
pub mod own_data;
pub mod passkey_section;
pub mod passkeys;
pub mod password;
pub mod profile;
pub mod recovery_codes;
pub mod security;
pub mod sessions;
pub mod tokens;
pub mod totp;
