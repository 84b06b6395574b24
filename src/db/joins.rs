//! Which tables of ours appear in one query with the sessions, whose tables belong to `latchkey_sessions`.

use super::schema::{account_links, lab_runs, users};

latchkey_sessions::joinable_with_sessions!(account_links, lab_runs, users);
