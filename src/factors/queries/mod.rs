//! All SQL of this room.

mod codes;
mod passkeys;

pub(crate) use codes::{
    activate_totp, count_guess, delete_pending_of, delete_recovery_codes, delete_totp, enrol_totp,
    has_second_factor, recovery_codes_among, recovery_codes_left, recovery_codes_made_at,
    replace_recovery_codes, reseal, seeds, seeds_not_sealed_with, totp, uncount_guess, unix_seconds,
    use_recovery_code, use_step,
};
pub(crate) use passkeys::{
    credential_ids, delete_passkey, has_passkey, insert_passkey, lock_passkey, note_passkey_used,
    open_ceremony, passkey_by_credential, passkeys_of, rename_passkey, require_passkey_step,
    restore_passkey_step, suspect_passkey, take_ceremony, waive_passkey_step,
};
