//! `latchkey prove …`: measures on this machine, with the configured database server, whether the claims hold.

mod cost;
mod figures;
mod revocation;
mod streams;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Subcommand)]
pub enum ProveCommand {
    Revocation(revocation::RevocationOptions),
    /// Measure what a check, a log-in and a log-out cost with a session and with a JSON Web Token.
    Cost {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(settings: &Settings, command: ProveCommand) -> Result<(), Failure> {
    match command {
        ProveCommand::Revocation(options) => revocation::run(settings, &options),
        ProveCommand::Cost { json } => cost::run(settings, json),
    }
}
