//! All SQL of this room.

mod ceremonies;
mod passkeys;
mod recovery_codes;
mod second_factor;
mod totp;

pub(crate) use ceremonies::{CeremonyPurpose, NewCeremony, insert_ceremony, take_ceremony};
pub(crate) use passkeys::{
    allow_password_alone, clear_password_alone_choice, credential_ids, delete_passkey, end_password_alone,
    has_passkey, insert_passkey, lock_passkey, mark_passkey_suspect, passkey_by_credential, passkeys_of,
    rename_passkey, update_passkey_credential,
};
pub(crate) use recovery_codes::{
    count_recovery_codes, delete_recovery_codes, recovery_codes_left, recovery_codes_made_at,
    replace_recovery_codes, use_recovery_code,
};
pub(crate) use second_factor::{delete_pending_logins_of, has_second_factor};
pub(crate) use totp::{
    activate_totp, consume_totp_step, count_totp_attempt, delete_totp, insert_totp_enrolment,
    refund_totp_attempt, replace_sealed_seed, sealed_seeds, seeds_not_sealed_with, totp, unix_seconds,
};
