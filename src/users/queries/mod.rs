//! All SQL of this room.

mod addresses;
mod admin;
mod delete_account;
mod email_keys;
mod export;
mod import;
mod invitations;
mod maintenance;
mod people;
mod registrations;
mod secret_scan;
mod setup;

pub(crate) use addresses::{is_taken, reserved_until, transaction_time};
pub(crate) use admin::{is_last_admin, numbers, user_ids, user_row, user_rows, users};
pub(crate) use delete_account::{delete_person, erase_from_trail, lock_one_gone, set_leaving};
pub(crate) use email_keys::{idn_rows, set_idn_key};
pub(crate) use export::own_data;
pub(crate) use import::{drop_registrations_of, free_addresses, insert_newcomers};
pub(crate) use invitations::{
    accept_invitation, insert_invitation, invitation_email, invitations, open_invitation,
    withdraw_invitation, withdraw_invitations_of,
};
pub(crate) use maintenance::{
    STALE, delete_counters, delete_stale, forget_trail, may_tidy, note_upkeep, upkeep,
};
pub(crate) use people::{
    Occupant, has_admin, insert_user, lock_admins, occupant, set_disabled, set_email, set_name, set_role,
};
pub(crate) use registrations::{
    WaitingRegistration, drop_registration, drop_registrations, insert_registration, take_registration,
    waiting_registration,
};
pub(crate) use secret_scan::{all_columns, each_row, in_one_snapshot};
pub(crate) use setup::{insert_setup_token, setup_token_is_live, take_setup};

pub use admin::{Day, Numbers, UserRow};
pub use invitations::InvitationRow;
