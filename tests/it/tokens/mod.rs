//! Access tokens: creating, finding, using and revoking them.

mod clean_ups;
mod commands;
mod everywhere;
mod forms;
mod lookups;
mod records;
mod roles;
mod upgrade;
