//! Apps behind Latchkey and the groups in their rules: operations, files, commands, and when instances see a change.

mod changes;
mod commands;
mod contract;
mod files;
mod groups;
mod snapshot;
pub mod support;
mod upgrade;
mod users;
