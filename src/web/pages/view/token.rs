//! A row of an access token.

use time::OffsetDateTime;

use crate::tokens::TokenRecord;
use crate::web::copy::tokens::scopes;
use crate::web::pages::view::moments::When;

pub struct TokenView {
    pub id: String,
    pub name: String,
    pub scopes: String,
    pub created: When,
    pub by_operator: bool,
    pub last_used: Option<When>,
    pub expires: When,
}

impl TokenView {
    pub fn new(token: &TokenRecord, now: OffsetDateTime) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            scopes: scopes(&token.scopes),
            created: When::new(token.created_at, now),
            by_operator: token.made_by.is_none(),
            last_used: token.last_used_at.map(|used| When::new(used, now)),
            expires: When::new(token.expires_at, now),
        }
    }
}
