//! The command line. All commands read the same settings. A command that fails prints one line and exits with 1; an
//! invalid command line exits with 2.

/// Prints a line on standard output. A closed pipe is not an error: `latchkey user list | head -1`.
macro_rules! print_line {
    ($($line:tt)*) => { std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($line)*)))? };
}

mod app;
mod audit;
mod config;
mod connect;
mod doctor;
mod find_user;
mod group;
mod import;
mod local_instance;
mod log;
mod migrate;
mod output;
mod prove;
mod serve;
mod session;
mod token;
mod transport_security;
mod user;

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};

use crate::config::{self as settings, Settings};
use output::{Failure, matching, rfc3339};

/// A log-in server for web apps: register, log in, list all sessions, and revoke any of them at once.
#[derive(Parser)]
#[command(name = "latchkey", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages and the apps. Starts its own Postgres if no database is configured.
    Serve,
    /// Migrate the database to the schema of this version.
    Migrate,
    /// Create, list and change users.
    #[command(subcommand)]
    User(user::UserCommand),
    /// List and end sessions.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Put apps behind the log-in, and say who gets in.
    #[command(subcommand)]
    App(app::AppCommand),
    /// Create groups of users, and change their members.
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Create, list and revoke access tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Verify the audit trail, and scan the database for secrets.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Measure on this machine whether the guarantees hold.
    #[command(subcommand)]
    Prove(prove::ProveCommand),
    /// Check the settings, the database, mail and the proxy, and print what to do.
    Doctor(doctor::DoctorOptions),
    /// Show the effective settings and where each comes from, without secrets. Changes nothing.
    Config {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

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

/// Executes this program again with a corrected environment if libpq would misread its variables. libpq reads them from
/// the process, where only unsafe code could change them. The second execution finds nothing to correct.
fn fix_libpq_environment() {
    let corrections = settings::untidy_libpq(env::vars_os());
    let Ok(program) = env::current_exe() else { return };
    if corrections.is_empty() {
        return;
    }
    let mut same = process::Command::new(program);
    same.args(env::args_os().skip(1));
    for (name, value) in corrections {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    // Returns only if it failed. Then libpq reports what is wrong with its variables.
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
        Command::App(command) => app::run(&settings, command),
        Command::Group(command) => group::run(&settings, command),
        Command::Token(command) => token::run(&settings, command),
        Command::Audit(command) => audit::run(&settings, command),
        Command::Prove(command) => prove::run(&settings, command),
        Command::Config { json } => config::run(&settings, json),
    }
}
