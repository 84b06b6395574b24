//! Revokes a token.

use diesel::pg::PgConnection;

use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::tokens::queries::{self, TokenFilter};
use crate::tokens::{TokenId, TokenRecord, Tokens};

/// Who revokes a token.
#[derive(Clone, Copy)]
enum RevokedBy {
    Owner(UserId),
    /// `None`: the operator.
    Admin(Option<UserId>),
}

impl Tokens {
    /// Revokes a token of `user`, who requests it; `None` if the user has no such token. Returns when no instance
    /// accepts it any more.
    pub async fn revoke_own(
        &self,
        user: UserId,
        id: TokenId,
        client: Client,
    ) -> Result<Option<TokenRecord>, Fault> {
        self.revoke_by(RevokedBy::Owner(user), id, client).await
    }

    /// The same for an administrator (`actor`) or the operator (`None`), for a token of any user.
    pub async fn revoke(
        &self,
        actor: Option<UserId>,
        id: TokenId,
        client: Client,
    ) -> Result<Option<TokenRecord>, Fault> {
        self.revoke_by(RevokedBy::Admin(actor), id, client).await
    }

    async fn revoke_by(
        &self,
        by: RevokedBy,
        id: TokenId,
        client: Client,
    ) -> Result<Option<TokenRecord>, Fault> {
        self.sessions
            .write(move |tx| {
                let Some(record) = find(tx, by, id)? else { return Ok(None) };
                let user = record.user;
                // The user is locked before the token, as in clean-ups.
                crate::identity::queries::lock_user(tx, user)?;
                if !queries::delete(tx, id)? {
                    return Ok(None);
                }
                tx.invalidates();
                let event = match by {
                    RevokedBy::Owner(user) => NewEvent::by_owner(AuditAction::TokenRevoked, user, &client),
                    RevokedBy::Admin(actor) => {
                        NewEvent::by_admin(AuditAction::TokenRevoked, actor, user, &client)
                    }
                };
                event.data(&EventDetail::Token(record.detail())).write(tx)?;
                Ok(Some(record))
            })
            .await
    }
}

fn find(conn: &mut PgConnection, by: RevokedBy, id: TokenId) -> Result<Option<TokenRecord>, Fault> {
    let record = queries::records(conn, TokenFilter::One(id))?.pop();
    Ok(record.filter(|record| match by {
        RevokedBy::Owner(user) => record.user == user,
        RevokedBy::Admin(_) => true,
    }))
}
