//! Creates and consumes mailed links. A GET only looks at a link; a POST consumes it.

use diesel::pg::PgConnection;

use crate::config::Span;
use crate::db::Fault;
use crate::identity::UserId;
use crate::notices::link::{LinkDetails, LinkPurpose, MailedLink};
use crate::notices::queries;
use crate::notices::service::Notices;
use crate::secret::Token;

impl Notices {
    /// Creates a link for an email to `user`.
    pub(crate) fn create_link(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        purpose: LinkPurpose,
        details: LinkDetails<'_>,
    ) -> Result<MailedLink, Fault> {
        if purpose.is_replaced() {
            queries::delete_links(conn, user, &[purpose])?;
        }
        let token = Token::generate()?;
        let valid_for = purpose.lifetime(&self.lifetimes);
        queries::insert_link(conn, user, purpose, &details, &token, valid_for.std())?;
        Ok(self.mailed_link(purpose.path(), "token", &token, valid_for))
    }

    /// A link to a page that takes `token` in the query field `field`.
    pub(crate) fn mailed_link(&self, path: &str, field: &str, token: &Token, valid_for: Span) -> MailedLink {
        let url = self.mailer.link(&format!("{path}?{field}={}", token.reveal()));
        MailedLink { url, valid_for }
    }

    /// The email address that a live link refers to, empty if it refers to none; `None` if the link is dead.
    pub async fn live_link(&self, purpose: LinkPurpose, token: &str) -> Result<Option<String>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let link = self.db.read(move |conn| queries::live_link(conn, purpose, &token_hash)).await?;
        Ok(link.map(|link| link.email.unwrap_or_default()))
    }
}

/// Consumes a link and locks the row of its user; `None` if the link is dead. Of concurrent calls, one gets the link.
pub(crate) fn consume(
    conn: &mut PgConnection,
    purpose: LinkPurpose,
    token_hash: &[u8],
) -> Result<Option<queries::LinkRow>, Fault> {
    let Some(link) = queries::live_link(conn, purpose, token_hash)? else { return Ok(None) };
    // The user's row is always locked first, which prevents deadlocks.
    let consumed = crate::identity::queries::lock_active(conn, UserId(link.user))?
        && queries::consume_link(conn, purpose, token_hash)?;
    Ok(consumed.then_some(link))
}
