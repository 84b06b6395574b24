//! `latchkey app …`: the apps behind Latchkey.

mod add;
mod config;
mod demo;
mod explain;
mod files;
mod list;
mod registered;
mod rule;

use std::path::PathBuf;

use actix_web::rt::System;
use clap::Subcommand;

use super::{Failure, connect};
use crate::accounts::Accounts;
use crate::apps::ProxyOptions;
use crate::config::Settings;

pub use files::{lines as change_lines, read as read_file, refused as refused_file};

#[derive(Subcommand)]
pub enum AppCommand {
    /// Put an app behind the log-in.
    Add(add::AddApp),
    /// List all apps.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Show an app with its rules.
    Show {
        slug: String,
        #[arg(long)]
        json: bool,
    },
    /// Remove an app and end its app keys.
    Remove { slug: String },
    /// Add, move and remove the rules of an app.
    #[command(subcommand)]
    Rule(rule::RuleCommand),
    /// Explain the answer to a request, without sending it.
    Explain(explain::ExplainRequest),
    /// Print a configuration for a proxy that carries the traffic of apps and asks Latchkey about each request.
    Config(config::ConfigRequest),
    /// Add and change the apps that a file lists.
    Apply {
        file: PathBuf,
        /// Only print what would change.
        #[arg(long)]
        dry_run: bool,
        /// Also remove apps that came from a file and are not in this one.
        #[arg(long)]
        prune: bool,
    },
    /// Serve a small demo app on this machine.
    Demo {
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Print all apps as a file for `app apply`.
    Export {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(settings: &Settings, command: AppCommand) -> Result<(), Failure> {
    if let AppCommand::Demo { port } = command {
        return demo::run(settings, port);
    }
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, settings, command))
}

async fn execute(accounts: &Accounts, settings: &Settings, command: AppCommand) -> Result<(), Failure> {
    match command {
        AppCommand::Add(add) => add::run(accounts, add).await,
        AppCommand::List { json } => list::list(accounts, json).await,
        AppCommand::Show { slug, json } => list::show(accounts, &slug, json).await,
        AppCommand::Remove { slug } => add::remove(accounts, &slug).await,
        AppCommand::Rule(command) => rule::run(accounts, command).await,
        AppCommand::Explain(request) => explain::run(accounts, request).await,
        AppCommand::Config(request) => {
            config::run(accounts, &ProxyOptions::listener_of(settings), request).await
        }
        AppCommand::Apply { file, dry_run, prune } => files::apply(accounts, &file, dry_run, prune).await,
        AppCommand::Export { json } => files::export(accounts, json).await,
        // The demo needs no database.
        AppCommand::Demo { .. } => Ok(()),
    }
}
