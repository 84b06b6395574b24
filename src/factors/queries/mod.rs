//! All SQL of this room.

mod passkeys;
mod totp;

pub(crate) use passkeys::{
    allow_password_alone, clear_password_alone_choice, credential_ids, delete_passkey, end_password_alone,
    has_passkey, insert_ceremony, insert_passkey, lock_passkey, mark_passkey_suspect, passkey_by_credential,
    passkeys_of, rename_passkey, take_ceremony, update_passkey_credential,
};
pub(crate) use totp::{
    activate_totp, consume_totp_step, count_recovery_codes, count_totp_attempt, delete_pending_logins_of,
    delete_recovery_codes, delete_totp, has_second_factor, insert_totp_enrolment, recovery_codes_left,
    recovery_codes_made_at, refund_totp_attempt, replace_recovery_codes, replace_sealed_seed, sealed_seeds,
    seeds_not_sealed_with, totp, unix_seconds, use_recovery_code,
};
