//! `latchkey app …`.

mod demo;

use clap::Subcommand;

use super::Failure;
use crate::config::Settings;

#[derive(Subcommand)]
pub enum AppCommand {
    /// Serve a small app to try the log-in with, on this machine.
    Demo {
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
}

pub fn run(settings: &Settings, command: &AppCommand) -> Result<(), Failure> {
    match command {
        AppCommand::Demo { port } => demo::run(settings, *port),
    }
}
