//! Apps behind Latchkey and the groups in their rules: operations, files, commands, and when instances see a change.

mod changes;
mod commands;
mod files;
mod groups;
mod snapshot;
mod support;
mod upgrade;
mod users;
