//! All SQL of this room.

mod addresses;
mod admin;
mod delete_account;
mod email_keys;
mod export;
mod import;
mod invitations;
mod maintenance;
mod registrations;
mod secret_scan;
mod setup;
mod users;

pub(crate) use addresses::{is_taken, reserved_until, transaction_time};
pub(crate) use admin::{daily_figures, is_last_admin, user_ids, user_row, user_rows, users};
pub(crate) use delete_account::{delete_user, erase_from_audit_trail, lock_due_account, set_delete_after};
pub(crate) use email_keys::{idn_rows, set_idn_key};
pub(crate) use export::stored_data;
pub(crate) use import::{drop_registrations_of, free_addresses, insert_imported_users};
pub(crate) use invitations::{
    accept_invitation, insert_invitation, invitation_email, invitations, open_invitation,
    withdraw_invitation, withdraw_invitations_of,
};
pub(crate) use maintenance::{
    EXPIRED, delete_counters, delete_expired, forget_audit_events, last_purge, record_purge, try_purge_lock,
};
pub(crate) use registrations::{
    ParsedRegistration, PendingRegistration, drop_registration, drop_registrations, insert_registration,
    pending_registration, take_registration,
};
pub(crate) use secret_scan::{all_columns, each_row, in_one_snapshot};
pub(crate) use setup::{consume_setup_tokens, insert_setup_token, setup_token_is_live};
pub(crate) use users::{
    AddressHolder, address_holder, has_admin, insert_user, lock_admins, set_disabled, set_email, set_name,
    set_role,
};

pub use admin::{DailyFigures, DayCount, UserRow};
pub use import::ImportedUser;
pub use invitations::InvitationRow;
pub use maintenance::LastPurge;
