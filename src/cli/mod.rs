//! The command line. Every command reads the same settings, says one clear line when it fails, and exits
//! with 1; a command line it does not understand exits with 2.

/// A line on standard output. Nobody has to read to the end: `latchkey user list | head -1`.
macro_rules! say {
    ($($line:tt)*) => { std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($line)*)))? };
}

mod audit;
mod config;
mod doctor;
mod import;
mod log;
mod migrate;
mod prove;
mod reach;
mod serve;
mod session;
mod user;
mod way;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Settings;

/// The front door for web apps: register, log in, see every device, take any of it back at once.
#[derive(Parser)]
#[command(name = "latchkey", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages. Starts its own Postgres when no database is named.
    Serve,
    /// Bring the database to this version's schema.
    Migrate,
    /// Make, list and change people.
    #[command(subcommand)]
    User(user::Command),
    /// List and end sessions.
    #[command(subcommand)]
    Session(session::Command),
    /// See whether what is stored is what it should be.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Measure, here and now, whether what is promised holds.
    #[command(subcommand)]
    Prove(prove::Command),
    /// Look at everything that has to be right around the program, and say what to do.
    Doctor(doctor::Asked),
    /// Show the settings in force, secrets left out.
    Config {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What a command fails with: one line.
type Failure = Box<dyn Error>;

pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if nobody_reads(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("latchkey: {}", failure.to_string().replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn nobody_reads(failure: &Failure) -> bool {
    failure.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn execute(command: Command) -> Result<(), Failure> {
    let settings = match (Settings::load(), &command) {
        (Err(wrong), Command::Doctor(asked)) => return doctor::run(Err(wrong), asked),
        (settings, _) => settings?,
    };
    match command {
        Command::Doctor(asked) => doctor::run(Ok(settings), &asked),
        Command::Serve => serve::run(settings),
        Command::Migrate => migrate::run(&settings),
        Command::User(command) => user::run(&settings, command),
        Command::Session(command) => session::run(&settings, command),
        Command::Audit(command) => audit::run(&settings, command),
        Command::Prove(command) => prove::run(&settings, command),
        Command::Config { json } => config::run(&settings, json),
    }
}
