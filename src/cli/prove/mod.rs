//! `latchkey prove …`: measures, on the database that is configured, what the pages claim.

mod cost;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Subcommand)]
pub enum Command {
    /// What a check, a log-in and a log-out cost, with a session and with a JSON Web Token.
    Cost {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    match command {
        Command::Cost { json } => cost::run(settings, json),
    }
}
