//! `latchkey token …`.

use actix_web::rt::System;
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::find_user::find_user;
use super::{Failure, connect, rfc3339};
use crate::accounts::Accounts;
use crate::config::{Settings, Span, TokenLimits};
use crate::db::Failed;
use crate::identity::Client;
use crate::tokens::{NewToken, RequestedScopes, TokenId, TokenRecord, TokenRefusal};
use crate::web::copy::phrase::Phrase;
use crate::web::copy::tokens::scopes;

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Create a token for a user, and print it. It cannot be shown again.
    Create {
        /// The email address of the user.
        #[arg(long)]
        user: String,
        /// Name of the token, such as that of the program that will use it.
        #[arg(long)]
        name: String,
        /// Scope, such as users:read, or app:SLUG for one app. Can be given several times.
        #[arg(long = "scope", required = true, num_args = 1..)]
        scopes: Vec<String>,
        /// Lifetime, such as 12h or 90d; a year at most. [default: 30d]
        #[arg(long)]
        expires: Option<String>,
    },
    /// List the tokens that have not expired, the newest first.
    List {
        /// Only tokens of the user with this email address.
        #[arg(long)]
        user: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token.
    Revoke {
        /// Id of the token, from `latchkey token list`.
        id: String,
    },
}

pub fn run(settings: &Settings, command: TokenCommand) -> Result<(), Failure> {
    let (accounts, _reached) = connect::accounts(settings)?;
    System::new().block_on(execute(&accounts, command))
}

async fn execute(accounts: &Accounts, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create { user, name, scopes, expires } => {
            let scopes = RequestedScopes::parse(scopes.iter().map(String::as_str))
                .map_err(|why| Phrase::from(&why).text)?;
            let lifetime = match expires {
                Some(text) => {
                    Span::parse(&text).ok_or_else(|| format!("{text:?} is not a duration such as 30d"))?.std()
                }
                None => TokenLimits::DEFAULT,
            };
            let user = find_user(accounts, &user).await?;
            let token = NewToken { user, name, scopes, lifetime, made_by: None };
            let created = accounts.tokens.create(token, Client::operator()).await.map_err(failed)?;
            print_line!("{}", created.text.reveal());
            Ok(())
        }
        TokenCommand::List { user, json } => {
            let tokens = match user {
                Some(address) => accounts.tokens.of_user(find_user(accounts, &address).await?).await?,
                None => accounts.tokens.all().await?,
            };
            list(&tokens, json)
        }
        TokenCommand::Revoke { id } => {
            let id: Uuid = id.parse().map_err(|_| format!("{id:?} is not the id of a token"))?;
            match accounts.tokens.revoke(None, TokenId(id), Client::operator()).await? {
                Some(token) => print_line!("Token {} of {} is revoked.", token.name, token.email),
                None => return Err("there is no such token".into()),
            }
            Ok(())
        }
    }
}

fn list(tokens: &[TokenRecord], as_json: bool) -> Result<(), Failure> {
    if !as_json {
        match tokens.is_empty() {
            true => print_line!("No tokens."),
            false => print_line!(
                "{:<36}  {:<40} {:<24} {:<20}  {:<20}  SCOPES",
                "ID",
                "USER",
                "NAME",
                "EXPIRES",
                "LAST USED"
            ),
        }
    }
    for token in tokens {
        let (expires, last_used) = (rfc3339(token.expires_at), token.last_used_at.map(rfc3339));
        match as_json {
            true => print_line!(
                "{}",
                json!({ "id": token.id.0, "user": token.user.0, "email": token.email, "name": token.name,
                    "scopes": token.scopes.texts(), "made_by": token.made_by.map(|session| session.0),
                    "created": rfc3339(token.created_at), "expires": expires, "last_used": last_used })
            ),
            false => print_line!(
                "{}  {:<40} {:<24} {expires:<20}  {:<20}  {}",
                token.id,
                token.email,
                token.name,
                last_used.as_deref().unwrap_or("never"),
                scopes(&token.scopes)
            ),
        }
    }
    Ok(())
}

fn failed(failed: Failed<TokenRefusal>) -> Failure {
    match failed {
        Failed::Refused(TokenRefusal::NameTaken) => {
            "the user already has a token with this name: choose another name".into()
        }
        Failed::Refused(TokenRefusal::TooMany { max }) => {
            format!("the user has {max} tokens, as many as an account can have: revoke one first").into()
        }
        Failed::Refused(TokenRefusal::NoSuchUser) => "the user is disabled".into(),
        Failed::Refused(why) => Phrase::from(&why).text.into(),
        Failed::Fault(fault) => fault.into(),
    }
}
