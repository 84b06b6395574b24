//! What is revoked while requests are sent with it: sessions, or access tokens.

use std::io::Error;
use std::mem;

use secrecy::ExposeSecret as _;

use super::ProveError;
use super::http::{HttpConnection, ProbeAnswer};
use super::token_target::TokenTarget;
use super::users::{ProbeToken, ProbeUser, ProbeUsers, Revocation, Session};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialKind {
    #[default]
    Sessions,
    Tokens,
}

pub enum ProbeCredential {
    Session(Session),
    Token(ProbeToken),
}

impl CredentialKind {
    /// One that is never revoked.
    pub async fn bystander(self, users: &ProbeUsers) -> Result<ProbeCredential, ProveError> {
        Ok(match self {
            Self::Sessions => ProbeCredential::Session(users.bystander().await?),
            Self::Tokens => ProbeCredential::Token(users.bystanding_token().await?),
        })
    }

    /// A new user, and what they are about to revoke.
    pub async fn of_new_user(
        self,
        users: &ProbeUsers,
        http: &mut HttpConnection,
    ) -> Result<(ProbeUser, Vec<ProbeCredential>), ProveError> {
        match self {
            Self::Sessions => {
                let mut user = users.user(http).await?;
                let sessions = mem::take(&mut user.other_sessions);
                Ok((user, sessions.into_iter().map(ProbeCredential::Session).collect()))
            }
            Self::Tokens => {
                let (user, tokens) = users.user_with_tokens(http).await?;
                Ok((user, tokens.into_iter().map(ProbeCredential::Token).collect()))
            }
        }
    }
}

impl ProbeCredential {
    pub fn revocation(&self) -> &Revocation {
        match self {
            Self::Session(session) => &session.revocation,
            Self::Token(token) => &token.revocation,
        }
    }

    pub async fn request(&self, http: &mut HttpConnection) -> Result<ProbeAnswer, Error> {
        match self {
            Self::Session(session) => http.get("/home", &session.cookie).await,
            Self::Token(token) => token.target.request(http, token.text.expose_secret()).await,
        }
    }

    /// Whether a revocation also ends the responses that have begun, as at the hosts of apps.
    pub fn ends_responses(&self) -> bool {
        matches!(self, Self::Token(token) if token.target == TokenTarget::App)
    }

    pub fn is_refused(&self, answer: &ProbeAnswer) -> bool {
        match self {
            Self::Session(_) => answer.leads_to("/login"),
            // Revoked tokens count as guesses, of which one network has only so many.
            Self::Token(_) => matches!(answer.status, 401 | 429),
        }
    }
}
