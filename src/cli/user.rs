//! `latchkey user …`: for the operator, also if no administrator can log in.

use actix_web::rt::System;
use clap::Subcommand;
use serde_json::json;

use super::import::{self, Import};
use super::{Failure, connect, rfc3339};
use crate::accounts::Accounts;
use crate::config::Settings;
use crate::db::Failed;
use crate::identity::{Client, Email, Name, Role, UserId};
use crate::users::{AdminRefusal, UserRow};
use crate::web::copy::phrase::Phrase;

#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a user, and print a link to set the password.
    Create {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
        /// Create an administrator.
        #[arg(long)]
        admin: bool,
    },
    /// List all users, newest first.
    List {
        /// Only users whose name or email contains this.
        #[arg(default_value = "")]
        search: String,
        #[arg(long)]
        json: bool,
    },
    /// Make a user an administrator.
    Promote { email: String },
    /// Make an administrator a member again.
    Demote { email: String },
    /// Disable a user, end all of their sessions and revoke all of their tokens.
    Disable { email: String },
    /// Enable a disabled user.
    Enable { email: String },
    /// Unlock a password that was locked after too many wrong ones.
    Unlock { email: String },
    /// Print a link to set a new password.
    ResetLink { email: String },
    /// Remove all second factors of a user who lost them. Verify the identity of the user first.
    ResetFactors { email: String },
    /// Import users from another system, with their password hashes.
    Import(Import),
}

/// Rows per query.
const CHUNK: i64 = 500;

pub fn run(settings: &Settings, command: UserCommand) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, command))
}

async fn execute(accounts: &Accounts, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Create { email, name, admin } => {
            let (email, name) = (address(&email)?, Name::parse(&name).map_err(|why| Phrase::from(why).text)?);
            let role = if admin { Role::Admin } else { Role::Member };
            accounts.admin.create_user(&email, &name, role).await.map_err(failed)?;
            print_reset_link(accounts, &email).await
        }
        UserCommand::List { search, json } => list(accounts, &search, json).await,
        UserCommand::Promote { email } => role(accounts, &email, Role::Admin).await,
        UserCommand::Demote { email } => role(accounts, &email, Role::Member).await,
        UserCommand::Disable { email } => {
            accounts
                .admin
                .disable(None, find(accounts, &email).await?, Client::operator())
                .await
                .map_err(failed)?;
            print_line!("{email} is disabled; all sessions and tokens ended.");
            Ok(())
        }
        UserCommand::Enable { email } => {
            accounts
                .admin
                .enable(None, find(accounts, &email).await?, Client::operator())
                .await
                .map_err(failed)?;
            print_line!("{email} is enabled.");
            Ok(())
        }
        UserCommand::Unlock { email } => {
            let user = find(accounts, &email).await?;
            accounts.admin.unlock_user(user, Client::operator()).await.map_err(failed)?;
            print_line!("{email} can log in with the password again.");
            Ok(())
        }
        UserCommand::Import(import) => import::run(accounts, &import).await,
        UserCommand::ResetLink { email } => print_reset_link(accounts, &address(&email)?).await,
        UserCommand::ResetFactors { email } => {
            if accounts.admin.reset_factors(find(accounts, &email).await?, Client::operator()).await? {
                print_line!(
                    "{email} can log in with the password alone until a second factor is set up again."
                );
            } else {
                print_line!("{email} has no second factor. Nothing was changed.");
            }
            Ok(())
        }
    }
}

async fn list(accounts: &Accounts, search: &str, as_json: bool) -> Result<(), Failure> {
    let mut offset = 0;
    loop {
        let (users, total) = accounts.admin.users(search, CHUNK, offset).await?;
        if offset == 0 && !as_json {
            match total {
                0 => print_line!("No user{}.", super::matching(search)),
                _ => print_line!(
                    "{:<40} {:<8} {:<10} {:>8}  {:<20}  {:<20}  NAME",
                    "EMAIL",
                    "ROLE",
                    "STATE",
                    "SESSIONS",
                    "REGISTERED",
                    "LAST LOG-IN"
                ),
            }
        }
        for user in &users {
            print_line!("{}", if as_json { object(user).to_string() } else { line(user) });
        }
        offset += CHUNK;
        if offset >= total {
            return Ok(());
        }
    }
}

fn object(user: &UserRow) -> serde_json::Value {
    json!({ "id": user.id, "email": user.email, "name": user.name, "role": user.role.as_str(),
        "state": state(user), "sessions": user.sessions })
}

fn line(user: &UserRow) -> String {
    format!(
        "{:<40} {:<8} {:<10} {:>8}  {:<20}  {:<20}  {}",
        user.email,
        user.role.as_str(),
        state(user),
        user.sessions,
        rfc3339(user.created_at),
        user.last_login_at.map_or_else(|| "never".to_owned(), rfc3339),
        user.name
    )
}

fn state(user: &UserRow) -> &'static str {
    match (user.disabled, user.leaving) {
        (true, _) => "disabled",
        (false, true) => "leaving",
        (false, false) => "active",
    }
}

async fn role(accounts: &Accounts, email: &str, role: Role) -> Result<(), Failure> {
    accounts
        .admin
        .set_role(None, find(accounts, email).await?, role, Client::operator())
        .await
        .map_err(failed)?;
    let role = match role {
        Role::Member => "a member",
        Role::Admin => "an administrator",
    };
    print_line!("{email} is now {role}.");
    Ok(())
}

async fn print_reset_link(accounts: &Accounts, email: &Email) -> Result<(), Failure> {
    let link = accounts.recovery.reset_link(email).await?.ok_or_else(|| not_found(email.as_str()))?;
    print_line!("{link}");
    Ok(())
}

async fn find(accounts: &Accounts, email: &str) -> Result<UserId, Failure> {
    accounts.admin.user_id(&address(email)?).await?.ok_or_else(|| not_found(email).into())
}

fn address(text: &str) -> Result<Email, Failure> {
    Email::parse(text).map_err(|_| format!("{text:?} is not an email address").into())
}

fn not_found(email: &str) -> String {
    format!("there is no active user {email}")
}

fn failed(failed: Failed<AdminRefusal>) -> Failure {
    match failed {
        Failed::Refused(AdminRefusal::NoSuchUser) => "there is no such user".into(),
        Failed::Refused(AdminRefusal::LastAdmin) => {
            "this is the last administrator: promote another user first".into()
        }
        Failed::Refused(AdminRefusal::NoMail) => "mail is off".into(),
        Failed::Refused(AdminRefusal::AddressTaken) => "a user with this address already exists".into(),
        Failed::Refused(AdminRefusal::Changed) => "the user has just changed: try again".into(),
        Failed::Fault(fault) => fault.into(),
    }
}
