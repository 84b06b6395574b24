//! `latchkey prove …`: measures on this machine, with the configured database server, whether the claims hold.

mod cost;
mod revocation;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Subcommand)]
pub enum Command {
    Revocation(revocation::Options),
    /// Measure what a check, a log-in and a log-out cost with a session and with a JSON Web Token.
    Cost {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    match command {
        Command::Revocation(options) => revocation::run(settings, &options),
        Command::Cost { json } => cost::run(settings, json),
    }
}
