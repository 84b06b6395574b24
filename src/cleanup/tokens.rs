//! Revokes access tokens in clean-ups. Each one that had not expired is recorded.

use diesel::pg::PgConnection;
use uuid::Uuid;

use super::model::{Artifact, Cleanup};
use super::queries::{DeletedTokens, delete_tokens, delete_tokens_of_app};
use super::request::CleanupRequest;
use crate::audit::{AuditAction, EventDetail, NewEvent, TokenDetail};
use crate::db::Fault;
use crate::identity::{Client, UserId};
use latchkey_sessions::SessionTx;

/// The scopes that members can have; a demotion revokes tokens with another one. `tokens::ApiScope` defines them.
pub const SCOPES_OF_MEMBERS: [&str; 1] = ["me"];

/// Revokes the tokens of a kind, which are [`Artifact::Token`] or [`Artifact::OlderToken`].
pub(super) fn revoke_tokens(
    tx: &mut SessionTx<'_>,
    request: &CleanupRequest<'_>,
    artifact: Artifact,
) -> Result<(), Fault> {
    let which = match (request.kind, artifact, request.session) {
        (Cleanup::Demote, ..) => DeletedTokens::WithOtherScopes(&SCOPES_OF_MEMBERS),
        (_, Artifact::Token, _) => DeletedTokens::OfEndedSessions,
        (Cleanup::NewPassword, _, Some(here)) => DeletedTokens::OfOtherSessions(here),
        _ => DeletedTokens::All,
    };
    let revoked = delete_tokens(tx, request.user, which)?;
    // Instances cache tokens as well.
    tx.invalidates();
    record_revoked(tx, revoked, request.actor, request.client)
}

/// Revokes the tokens of all users for an app that is about to be removed.
pub(crate) fn revoke_tokens_of_app(
    tx: &mut SessionTx<'_>,
    app: Uuid,
    actor: Option<UserId>,
    client: &Client,
) -> Result<(), Fault> {
    let revoked = delete_tokens_of_app(tx, app)?;
    tx.invalidates();
    record_revoked(tx, revoked, actor, client)
}

pub(super) fn record_revoked(
    conn: &mut PgConnection,
    revoked: Vec<(UserId, TokenDetail)>,
    actor: Option<UserId>,
    client: &Client,
) -> Result<(), Fault> {
    for (user, token) in revoked {
        NewEvent::by_admin(AuditAction::TokenRevoked, actor, user, client)
            .data(&EventDetail::Token(token))
            .write(conn)?;
    }
    Ok(())
}
