//! `latchkey group …`.

use actix_web::rt::System;
use clap::Subcommand;
use serde_json::json;

use super::find_user::find_user;
use super::{Failure, connect};
use crate::accounts::Accounts;
use crate::config::Settings;
use crate::db::Failed;
use crate::groups::GroupRefusal;
use crate::identity::{Client, GroupName};
use crate::web::copy::phrase::Phrase;

#[derive(Subcommand)]
pub enum GroupCommand {
    /// Add a group.
    Add {
        name: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Remove a group that no rule names.
    Remove { name: String },
    /// List all groups, or the members of one.
    List {
        name: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Add a user to a group.
    Join { name: String, email: String },
    /// Remove a user from a group.
    Leave { name: String, email: String },
}

pub fn run(settings: &Settings, command: GroupCommand) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, command))
}

async fn execute(accounts: &Accounts, command: GroupCommand) -> Result<(), Failure> {
    let groups = &accounts.groups;
    match command {
        GroupCommand::Add { name: text, note } => {
            groups.add(None, name(&text)?, &note, Client::operator()).await.map_err(failed)?;
            print_line!("Group {text} is added.");
        }
        GroupCommand::Remove { name: text } => {
            groups.remove(None, &name(&text)?, Client::operator()).await.map_err(failed)?;
            print_line!("Group {text} is removed.");
        }
        GroupCommand::List { name: None, json } => return list(accounts, json).await,
        GroupCommand::List { name: Some(text), json } => return members(accounts, &name(&text)?, json).await,
        GroupCommand::Join { name: text, email } => {
            let user = find_user(accounts, &email).await?;
            match groups.join(None, &name(&text)?, user, Client::operator()).await.map_err(failed)? {
                true => print_line!("{email} is in {text}."),
                false => print_line!("{email} was already in {text}."),
            }
        }
        GroupCommand::Leave { name: text, email } => {
            let user = find_user(accounts, &email).await?;
            match groups.leave(None, &name(&text)?, user, Client::operator()).await.map_err(failed)? {
                true => print_line!("{email} is no longer in {text}."),
                false => print_line!("{email} was not in {text}."),
            }
        }
    }
    Ok(())
}

async fn list(accounts: &Accounts, as_json: bool) -> Result<(), Failure> {
    let groups = accounts.groups.list().await?;
    if !as_json {
        match groups.is_empty() {
            true => print_line!("No groups."),
            false => print_line!("{:<32} {:>7}  {:<24} NOTE", "NAME", "MEMBERS", "APPS"),
        }
    }
    for group in groups {
        let (name, apps) = (group.name.as_str(), group.used_by.join(","));
        match as_json {
            true => print_line!(
                "{}",
                json!({ "name": name, "note": group.note, "members": group.members, "apps": group.used_by })
            ),
            false => print_line!("{name:<32} {:>7}  {apps:<24} {}", group.members, group.note),
        }
    }
    Ok(())
}

async fn members(accounts: &Accounts, name: &GroupName, as_json: bool) -> Result<(), Failure> {
    let details = accounts
        .groups
        .find(name)
        .await?
        .ok_or_else(|| failed(Failed::Refused(GroupRefusal::NoSuchGroup)))?;
    if !as_json {
        match details.members.is_empty() {
            true => print_line!("{name} has no members."),
            false => print_line!("{:<40} {:<20}  {:<24} NAME", "EMAIL", "SINCE", "ADDED BY"),
        }
    }
    for member in details.members {
        let (since, by) = (super::rfc3339(member.since), member.added_by);
        match as_json {
            true => print_line!(
                "{}",
                json!({ "user": member.user.0, "email": member.email, "name": member.name, "since": since,
                    "added_by": by })
            ),
            false => print_line!(
                "{:<40} {since:<20}  {:<24} {}",
                member.email,
                by.as_deref().unwrap_or("command line"),
                member.name
            ),
        }
    }
    Ok(())
}

fn name(text: &str) -> Result<GroupName, Failure> {
    GroupName::parse(text).map_err(|why| Phrase::from(why).text.into())
}

fn failed(failed: Failed<GroupRefusal>) -> Failure {
    match failed {
        Failed::Refused(why) => Phrase::from(&why).text.into(),
        Failed::Fault(fault) => fault.into(),
    }
}
