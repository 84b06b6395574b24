//! `latchkey session …`.

use actix_web::rt::System;
use clap::Subcommand;
use serde_json::json;
use time::OffsetDateTime;

use super::{Failure, connect, rfc3339};
use crate::accounts::Accounts;
use crate::config::Settings;
use crate::db::time::Moment;
use crate::device;
use crate::identity::Client;
use latchkey_sessions::{Handle, SessionRecord};

#[derive(Subcommand)]
pub enum SessionCommand {
    /// List live sessions, last seen first.
    List {
        /// Only sessions of users whose name or email contains this.
        #[arg(default_value = "")]
        search: String,
        #[arg(long)]
        json: bool,
    },
    /// End one session, or the sessions of all users.
    Revoke {
        #[arg(required_unless_present = "everybody")]
        handle: Option<String>,
        /// End the sessions of all users.
        #[arg(long, conflicts_with = "handle")]
        everybody: bool,
    },
    /// Delete sessions that ended long ago, and other expired rows.
    Sweep,
}

fn unix(moment: Moment) -> i64 {
    OffsetDateTime::from(moment).unix_timestamp()
}

/// Rows per query.
const CHUNK: i64 = 500;

pub fn run(settings: &Settings, command: SessionCommand) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, command))
}

async fn execute(accounts: &Accounts, command: SessionCommand) -> Result<(), Failure> {
    match command {
        SessionCommand::List { search, json } => list(accounts, &search, json).await,
        SessionCommand::Revoke { handle: None, .. } => {
            print_line!("{} sessions ended.", accounts.admin.revoke_all_sessions(Client::operator()).await?);
            Ok(())
        }
        SessionCommand::Revoke { handle: Some(handle), .. } => {
            let handle: Handle =
                handle.parse().map_err(|_| format!("{handle:?} is not the handle of a session"))?;
            if !accounts.admin.revoke_session(None, handle, Client::operator()).await? {
                return Err("no live session has this handle".into());
            }
            print_line!("Session {handle} ended.");
            Ok(())
        }
        SessionCommand::Sweep => {
            print_line!("{} ended sessions deleted.", accounts.sessions().sweep().await?);
            match accounts.maintenance.purge().await? {
                0 => {}
                others => {
                    print_line!("{others} other rows deleted or resealed.")
                }
            }
            Ok(())
        }
    }
}

async fn list(accounts: &Accounts, search: &str, as_json: bool) -> Result<(), Failure> {
    let mut offset = 0;
    loop {
        let (rows, total) = accounts.admin.all_sessions(search, CHUNK, offset).await?;
        if offset == 0 && !as_json {
            match total {
                0 => print_line!("No live session{}.", super::matching(search)),
                _ => print_line!(
                    "{:<36}  {:<40} {:<24} {:<20}  {:<20}  ADDRESS",
                    "HANDLE",
                    "USER",
                    "DEVICE",
                    "LOGGED IN",
                    "LAST SEEN"
                ),
            }
        }
        for (record, person) in &rows {
            let email = person.as_ref().map_or("?", |person| person.email.as_str());
            print_line!("{}", if as_json { object(record, email).to_string() } else { line(record, email) });
        }
        offset += CHUNK;
        if offset >= total {
            return Ok(());
        }
    }
}

fn object(record: &SessionRecord, email: &str) -> serde_json::Value {
    json!({ "handle": record.handle.0, "email": email, "device": device::name(&record.login.user_agent),
        "address": record.address.as_str(), "logged_in": unix(record.created_at),
        "last_seen": unix(record.last_seen_at) })
}

fn line(record: &SessionRecord, email: &str) -> String {
    format!(
        "{}  {email:<40} {:<24} {:<20}  {:<20}  {}",
        record.handle,
        device::name(&record.login.user_agent),
        rfc3339(record.created_at),
        rfc3339(record.last_seen_at),
        record.address
    )
}
