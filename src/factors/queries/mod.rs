//! All SQL of this room.

mod totp;
mod passkeys;

pub(crate) use totp::{
    activate_totp, count_totp_attempt, delete_pending_logins_of, delete_recovery_codes, delete_totp, insert_totp_enrolment,
    has_second_factor, count_recovery_codes, recovery_codes_left, recovery_codes_made_at,
    replace_recovery_codes, replace_sealed_seed, sealed_seeds, seeds_not_sealed_with, totp, refund_totp_attempt, unix_seconds,
    use_recovery_code, consume_totp_step,
};
pub(crate) use passkeys::{
    credential_ids, delete_passkey, has_passkey, insert_passkey, lock_passkey, update_passkey_credential,
    insert_ceremony, passkey_by_credential, passkeys_of, rename_passkey, clear_password_alone_choice,
    end_password_alone, mark_passkey_suspect, take_ceremony, allow_password_alone,
};
