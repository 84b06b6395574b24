//! All SQL of this room.

mod addresses;
mod import;
mod invitations;
mod new_users;
mod registrations;
mod setup;

pub(crate) use addresses::{is_taken, reserved_until};
pub(crate) use import::{drop_registrations_of, free_addresses, insert_imported_users};
pub(crate) use invitations::{
    accept_invitation, insert_invitation, invitation, invitation_email, invitations, invitations_after,
    open_invitation, withdraw_invitation, withdraw_invitations_of,
};
pub(crate) use new_users::{AddressHolder, address_holder, has_admin, insert_user, unless_reserved};
pub(crate) use registrations::{
    ParsedRegistration, PendingRegistration, drop_registration, drop_registrations, insert_registration,
    pending_registration, take_registration,
};
pub(crate) use setup::{consume_setup_tokens, insert_setup_token, setup_token_is_live};

pub use import::ImportedUser;
pub use invitations::InvitationRow;
