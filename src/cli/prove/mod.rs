//! `latchkey prove …`: what is promised and what is claimed, measured on the machine and with the database it is to
//! hold on.

mod cost;
mod flood;
mod instance;
mod people;
mod place;
mod report;
mod revocation;
mod wire;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Subcommand)]
pub enum Command {
    Revocation(revocation::Revocation),
    /// What a check, a log-in and a log-out cost, with a session and with a JSON Web Token.
    Cost {
        /// As JSON.
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
