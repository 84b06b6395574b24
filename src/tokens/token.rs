//! Tokens as they are created and listed.

use std::time::Duration;

use time::OffsetDateTime;

use crate::audit::TokenDetail;
use crate::identity::{InvalidName, UserId};
use crate::tokens::{ApiScope, RequestedScopes, TokenId, TokenText};
use latchkey_sessions::Handle;

/// A token that a user or the operator wants to create.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub user: UserId,
    pub name: String,
    pub scopes: RequestedScopes,
    pub lifetime: Duration,
    /// The session in which the user creates it; `None`: the operator creates it.
    pub made_by: Option<Handle>,
}

/// A new token. Its text is known only now.
pub struct CreatedToken {
    pub record: TokenRecord,
    pub text: TokenText,
}

/// A token in a list, never with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: TokenId,
    pub user: UserId,
    /// The user's address.
    pub email: String,
    pub name: String,
    pub scopes: RequestedScopes,
    /// The session that created it; `None`: the operator.
    pub made_by: Option<Handle>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// Accurate to the sessions' `touch_every`.
    pub last_used_at: Option<OffsetDateTime>,
}

impl TokenRecord {
    /// For the audit trail.
    pub(super) fn detail(&self) -> TokenDetail {
        let expires = self.expires_at.replace_nanosecond(0).unwrap_or(self.expires_at);
        TokenDetail { token: self.name.clone(), token_id: self.id.0, scopes: self.scopes.texts(), expires }
    }
}

/// Why a token was not created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    Name(InvalidName),
    /// Another token of the user has this name.
    NameTaken,
    /// The scope needs a higher role than the user has.
    RoleTooLow(ApiScope),
    /// There is no such app, or it accepts no tokens of the user who creates this one.
    NoSuchApp(String),
    LifetimeTooLong {
        max: Duration,
    },
    /// The lifetime is zero.
    LifetimeTooShort,
    TooMany {
        max: usize,
    },
    /// The user does not exist or is disabled, or the session that creates the token has ended.
    NoSuchUser,
}
