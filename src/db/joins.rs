//! The tables of the program that may be joined with those of `latchkey_sessions`.

use super::schema::{account_links, group_members, lab_runs, passkeys, totp, users};

latchkey_sessions::joinable_with_sessions!(account_links, group_members, lab_runs, passkeys, totp, users);
