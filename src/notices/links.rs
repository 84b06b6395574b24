//! Mailed links that do one thing once: unlock, "this was not me", a new address, the old address back
//! (docs/decisions/tokens.md). Looked at with GET, used with POST.

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::config::Span;
use crate::db::Fault;
use crate::identity::UserId;
use crate::notices::{Notices, queries};
use crate::secret::{Token, TokenHash};
use latchkey_sessions::Handle;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Unlock,
    NotMe,
    ConfirmEmail,
    UndoEmail,
    UndoFactor,
}

impl Purpose {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::NotMe => "not-me",
            Self::ConfirmEmail => "confirm-email",
            Self::UndoEmail => "undo-email",
            Self::UndoFactor => "undo-factor",
        }
    }

    /// The page it leads to.
    pub fn path(self) -> &'static str {
        match self {
            Self::Unlock => "/unlock",
            Self::NotMe => "/not-me",
            Self::ConfirmEmail => "/confirm-email",
            Self::UndoEmail => "/undo-email",
            Self::UndoFactor => "/undo-factor",
        }
    }

    /// Whether a newer one replaces it. The others speak of different things: an attacker who changes the address
    /// twice must not take away the way back to the first.
    fn is_replaced(self) -> bool {
        matches!(self, Self::Unlock | Self::ConfirmEmail)
    }
}

/// What a link is about, as far as its purpose needs it.
#[derive(Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub session: Option<Handle>,
    pub browser: Option<TokenHash>,
    pub email: Option<&'a str>,
    /// What that address is compared by, where it is kept for the account.
    pub email_key: Option<&'a str>,
    /// When what the link is about began, if that was before.
    pub since: Option<OffsetDateTime>,
}

impl Notices {
    pub(crate) fn make_link(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        purpose: Purpose,
        about: About<'_>,
    ) -> Result<String, Fault> {
        if purpose.is_replaced() {
            queries::delete_links(conn, user, &[purpose])?;
        }
        let token = Token::generate()?;
        queries::insert_link(conn, user, purpose, &about, &token, self.good_for(purpose).std())?;
        Ok(self.mailer.link(&format!("{}?token={}", purpose.path(), token.reveal())))
    }

    pub(crate) fn good_for(&self, purpose: Purpose) -> Span {
        match purpose {
            Purpose::ConfirmEmail => self.tokens.verify_for,
            Purpose::Unlock | Purpose::NotMe | Purpose::UndoEmail | Purpose::UndoFactor => {
                self.tokens.undo_for
            }
        }
    }

    /// The address a link is about, or an empty one, if it would still work; nothing is consumed.
    pub async fn live_link(&self, purpose: Purpose, token: &str) -> Result<Option<String>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let link = self.db.read(move |conn| queries::live_link(conn, purpose, &token_hash)).await?;
        Ok(link.map(|link| link.email.unwrap_or_default()))
    }
}

/// Consumes the link and locks its owner's row; `None` when it is dead. Of many at once, one gets it.
pub(crate) fn take(
    conn: &mut PgConnection,
    purpose: Purpose,
    token_hash: &[u8],
) -> Result<Option<queries::LinkRow>, Fault> {
    let Some(link) = queries::live_link(conn, purpose, token_hash)? else { return Ok(None) };
    // The user first, as everybody else does, so that nobody waits in a circle.
    let taken = crate::identity::queries::lock_active(conn, UserId(link.user))?
        && queries::take_link(conn, purpose, token_hash)?;
    Ok(taken.then_some(link))
}
