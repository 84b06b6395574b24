//! `latchkey audit …`.

use actix_web::rt::System;
use clap::Subcommand;
use serde_json::json;

use super::{Failure, connect};
use crate::accounts::Accounts;
use crate::audit::{BrokenChain, ChainHead, Damage, ErasedUser};
use crate::config::Settings;
use crate::db::Refusable as _;
use crate::maintenance::{ColumnKind, ScannedColumn};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Verify that the audit trail was not changed.
    Verify {
        /// An earlier output of `audit head`. Detects a trail that was truncated or rewritten.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Print the last link of the audit trail, to be stored outside of this database.
    Head,
    /// Scan every value in the database. Fails if a value is a usable credential, or if a column is not declared.
    AtRest {
        /// Print one JSON object per column.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(settings: &Settings, command: AuditCommand) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, command))
}

async fn execute(accounts: &Accounts, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Head => {
            print_line!("{}", accounts.audit.trail_head().await?);
            Ok(())
        }
        AuditCommand::AtRest { json } => at_rest(accounts, json).await,
        AuditCommand::Verify { head, json } => verify(accounts, head.as_deref(), json).await,
    }
}

async fn verify(accounts: &Accounts, head: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let head: Option<ChainHead> = head
        .map(|text| text.parse().map_err(|_| format!("{text:?} is not an output of `audit head`")))
        .transpose()?;
    match accounts.audit.verify_trail(head).await.split()? {
        Ok(intact) => {
            let (links, since, erased) = (intact.links, intact.since, intact.erased);
            let head = intact.head.to_string();
            if as_json {
                print_line!(
                    "{}",
                    json!({ "intact": true, "links": links, "since": since, "erased": erased, "head": head })
                );
            } else {
                print_line!(
                    "The audit trail is intact: {links} links since {since}, {erased} of deleted users. Head: {head}"
                );
            }
            Ok(())
        }
        Err(broken) => {
            let erased = match broken.damage {
                Damage::ErasedUserExists => accounts.audit.erased_users().await?,
                _ => Vec::new(),
            };
            if as_json {
                let users: Vec<String> = erased.iter().map(|user| user.id.to_string()).collect();
                print_line!(
                    "{}",
                    json!({ "intact": false, "damage": broken.damage.as_str(), "link": broken.seq,
                        "event": broken.event, "users": users })
                );
            }
            Err(broken_at(broken, &erased).into())
        }
    }
}

/// Where and how the trail is broken, in one line.
fn broken_at(BrokenChain { damage, seq, event }: BrokenChain, erased: &[ErasedUser]) -> String {
    let place = match (seq, event) {
        (Some(seq), Some(event)) => format!("link {seq}, event {event}"),
        (Some(seq), None) => format!("link {seq}"),
        (None, Some(event)) => format!("event {event}"),
        (None, None) => "an unknown place".into(),
    };
    let users: Vec<String> = erased.iter().map(|user| format!("{} {}", user.id, user.email)).collect();
    let of = if users.is_empty() { String::new() } else { format!(": {}", users.join(", ")) };
    format!("the audit trail is broken at {place}: {}{of}", damage.as_str())
}

async fn at_rest(accounts: &Accounts, as_json: bool) -> Result<(), Failure> {
    let columns = accounts.maintenance.scan_for_secrets().await?;
    if !as_json {
        print_line!("{:<36} {:<10} {:>9}", "COLUMN", "KIND", "VALUES");
    }
    for column in &columns {
        if as_json {
            print_line!("{}", serde_json::to_string(column)?);
        } else {
            let name = format!("{}.{}", column.table, column.column);
            let kind = column.kind.map_or("unknown", ColumnKind::as_str);
            let found = if column.is_clean() { "" } else { "  ← failed" };
            print_line!("{name:<36} {kind:<10} {:>9}{found}", column.values);
        }
    }
    match columns.iter().find(|column| !column.is_clean()) {
        Some(column) => Err(scan_failure(column).into()),
        None if as_json => Ok(()),
        None => {
            print_line!("No stored value is a usable credential.");
            Ok(())
        }
    }
}

fn scan_failure(column: &ScannedColumn) -> String {
    let ScannedColumn { table, column: name, kind, misshapen, opening, .. } = column;
    match kind {
        None => {
            format!("the column {table}.{name} is not declared: add it to src/maintenance/secret_scan.rs")
        }
        Some(_) if *opening > 0 => {
            format!("{opening} values of {table}.{name} contain a usable credential")
        }
        Some(kind) => {
            format!("{misshapen} values of {table}.{name} do not have the format of: {}", kind.as_str())
        }
    }
}
