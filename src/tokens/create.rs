//! Creates a token. Its text is returned once and never stored.

use std::time::Duration;

use diesel::pg::PgConnection;

use crate::apps::app_for_tokens_of;
use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::config::TokenLimits;
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Name, Recipient};
use crate::notices::{LinkDetails, LinkPurpose, Notice};
use crate::tokens::queries::{self, InsertedToken, TokenFilter};
use crate::tokens::{
    ApiScope, CreatedToken, NewToken, RequestedScopes, TokenRecord, TokenRefusal, TokenScopes, TokenText,
    Tokens,
};

impl Tokens {
    /// Creates a token, and mails a notice to its user.
    pub async fn create(
        &self,
        token: NewToken,
        client: Client,
    ) -> Result<CreatedToken, Failed<TokenRefusal>> {
        let name = Name::parse(&token.name).map_err(|why| Failed::Refused(TokenRefusal::Name(why)))?;
        if token.lifetime > TokenLimits::LONGEST {
            return refuse(TokenRefusal::LifetimeTooLong { max: TokenLimits::LONGEST });
        }
        if token.lifetime < Duration::from_secs(1) {
            return refuse(TokenRefusal::LifetimeTooShort);
        }
        let (tokens, text) = (self.clone(), TokenText::generate().map_err(Fault::from)?);
        self.db
            .write_or_refuse(move |conn| {
                let record = tokens.store(conn, &token, &name, &text, &client)?;
                Ok(CreatedToken { record, text })
            })
            .await
    }

    fn store(
        &self,
        conn: &mut PgConnection,
        token: &NewToken,
        name: &Name,
        text: &TokenText,
        client: &Client,
    ) -> Result<TokenRecord, Failed<TokenRefusal>> {
        let user = token.user;
        // With these locks, a clean-up either ends the session first or finds the token.
        if !crate::identity::queries::lock_active(conn, user)? || !self.lock_session(conn, token)? {
            return refuse(TokenRefusal::NoSuchUser);
        }
        let Some(owner) = crate::identity::queries::recipient(conn, user)? else {
            return refuse(TokenRefusal::NoSuchUser);
        };
        let scopes = allowed_scopes(conn, token)?;
        let names = queries::names_of(conn, user)?;
        if names.len() >= TokenLimits::PER_USER {
            return refuse(TokenRefusal::TooMany { max: TokenLimits::PER_USER });
        }
        if names.iter().any(|taken| taken == name.as_str()) {
            return refuse(TokenRefusal::NameTaken);
        }
        let inserted = InsertedToken {
            user,
            key: &text.hash(),
            name: name.as_str(),
            scopes,
            lifetime: token.lifetime,
            made_by: token.made_by,
        };
        let id = queries::insert(conn, &inserted)?;
        let Some(record) = queries::records(conn, TokenFilter::One(id))?.pop() else {
            return Err(Fault::bug("the new token is not found").into());
        };
        let event = match token.made_by {
            Some(session) => NewEvent::by_owner(AuditAction::TokenCreated, user, client).session(session),
            None => NewEvent::by_admin(AuditAction::TokenCreated, None, user, client),
        };
        event.data(&EventDetail::Token(record.detail())).write(conn)?;
        self.send_notice(conn, &owner, &record, client)?;
        Ok(record)
    }

    /// `false` if the session that creates the token has ended.
    fn lock_session(&self, conn: &mut PgConnection, token: &NewToken) -> Result<bool, Fault> {
        token.made_by.map_or(Ok(true), |session| self.sessions.lock_live(conn, session))
    }

    fn send_notice(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
        record: &TokenRecord,
        client: &Client,
    ) -> Result<(), Fault> {
        let not_me = match record.made_by {
            Some(session) => {
                let about = LinkDetails {
                    session: Some(session),
                    email: Some(&owner.email),
                    since: self.sessions.record(conn, session)?.map(|session| session.created_at.into()),
                    ..LinkDetails::default()
                };
                Some(self.notices.create_link(conn, owner.id, LinkPurpose::NotMe, about)?)
            }
            None => None,
        };
        let api_scopes = match &record.scopes {
            RequestedScopes::Api(scopes) => scopes.iter().map(ApiScope::as_str).collect(),
            RequestedScopes::App(_) => Vec::new(),
        };
        let notice = Notice::TokenCreated { api_scopes, expires_at: record.expires_at, not_me };
        self.notices.send_notice(conn, owner, &notice, client)
    }
}

/// The scopes of the token, if the user's role allows them now. Each request checks the role again.
fn allowed_scopes(conn: &mut PgConnection, token: &NewToken) -> Result<TokenScopes, Failed<TokenRefusal>> {
    match &token.scopes {
        RequestedScopes::Api(scopes) => {
            let role = queries::role_of(conn, token.user)?;
            let too_high = |scope: &ApiScope| role.is_none_or(|role| role < scope.required_role());
            match scopes.iter().find(too_high) {
                Some(scope) => refuse(TokenRefusal::RoleTooLow(scope)),
                None => Ok(TokenScopes::Api(*scopes)),
            }
        }
        RequestedScopes::App(slug) => {
            let app = match token.made_by {
                Some(_) => app_for_tokens_of(conn, slug, token.user)?,
                // The operator may create it before the rules.
                None => queries::app_of_slug(conn, slug)?,
            };
            app.map(TokenScopes::App)
                .ok_or_else(|| Failed::Refused(TokenRefusal::NoSuchApp(slug.to_string())))
        }
    }
}
