//! The command line. Every command reads the same settings, says one clear line when it fails, and exits
//! with 1; a command line it does not understand exits with 2.

/// A line on standard output. Nobody has to read to the end: `latchkey user list | head -1`.
macro_rules! print_line {
    ($($line:tt)*) => { std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($line)*)))? };
}

mod audit;
mod config;
mod connect;
mod doctor;
mod import;
mod local_instance;
mod log;
mod migrate;
mod prove;
mod serve;
mod session;
mod transport_security;
mod user;

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{self as settings, Settings};

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
    /// Look at everything that has to be right around the program, and print_line what to do.
    Doctor(doctor::Options),
    /// Show the settings in force and where each comes from, secrets left out. Changes nothing.
    Config {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The end of a sentence that says that a list is empty.
fn matching(search: &str) -> String {
    if search.is_empty() { String::new() } else { format!(" matches {search:?}") }
}

/// A moment as all commands print it, to the second.
fn rfc3339(at: impl Into<OffsetDateTime>) -> String {
    let at = at.into();
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// What a command fails with: one line.
type Failure = Box<dyn Error>;

pub fn run() -> ExitCode {
    let cli = Cli::parse();
    fix_libpq_environment();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if is_broken_pipe(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("latchkey: {}", failure.to_string().replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

/// Executes this program again with a corrected environment if libpq would misread its variables. libpq reads
/// them from the process, where only unsafe code could change them. The second execution finds nothing to
/// correct.
fn fix_libpq_environment() {
    let untidy = settings::untidy_libpq(env::vars_os());
    let Ok(program) = env::current_exe() else { return };
    if untidy.is_empty() {
        return;
    }
    let mut same = process::Command::new(program);
    same.args(env::args_os().skip(1));
    for (name, value) in untidy {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    // Returns only if it failed. Then libpq says what is wrong with its variables.
    let _ = same.exec();
}

fn is_broken_pipe(failure: &Failure) -> bool {
    failure.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn execute(command: Command) -> Result<(), Failure> {
    let settings = match &command {
        Command::Doctor(options) => return doctor::run(Settings::inspect(), options),
        Command::Config { .. } => Settings::inspect()?,
        _ => Settings::load()?,
    };
    // Every command refuses the settings that `serve` refuses.
    connect::check(&settings)?;
    match command {
        Command::Doctor(options) => doctor::run(Ok(settings), &options),
        Command::Serve => serve::run(settings),
        Command::Migrate => migrate::run(&settings),
        Command::User(command) => user::run(&settings, command),
        Command::Session(command) => session::run(&settings, command),
        Command::Audit(command) => audit::run(&settings, command),
        Command::Prove(command) => prove::run(&settings, command),
        Command::Config { json } => config::run(&settings, json),
    }
}
