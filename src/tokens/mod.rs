//! Access tokens, which programs send instead of a session key: to the API or to one app.

mod authenticate;
mod create;
mod ids;
mod live_token;
mod queries;
mod recent_guesses;
mod revoke;
mod scopes;
mod service;
mod token;
mod token_text;

pub use ids::TokenId;
pub use live_token::{CachedToken, LiveToken};
pub use scopes::{ApiScope, ApiScopeSet, RequestedScopes, ScopesRefusal, TokenScopes};
pub use service::Tokens;
pub use token::{CreatedToken, NewToken, TokenRecord, TokenRefusal};
pub use token_text::TokenText;
