//! Texts about access tokens.

use crate::config::duration_in_words;
use crate::identity::InvalidName;
use crate::tokens::{ApiScope, RequestedScopes, ScopesRefusal, TokenRefusal};
use crate::web::copy::flash::Flash;
use crate::web::copy::phrase::Phrase;

/// For a lifetime that the page does not offer.
pub const UNKNOWN_LIFETIME: Phrase = Phrase::new("unknown-lifetime", "Choose one of the lifetimes.");

/// What a program can do with the scope.
pub fn scope(scope: ApiScope) -> &'static str {
    match scope {
        ApiScope::Me => "Read your account, and end your own sessions and tokens",
        ApiScope::UsersRead => "Read all users",
        ApiScope::UsersWrite => "Rename, disable and enable users, and end their sessions and tokens",
        ApiScope::RolesWrite => "Change the roles of users",
        ApiScope::Invitations => "Read, send and withdraw invitations",
        ApiScope::SessionsRead => "Read all sessions",
        ApiScope::SessionsWrite => "End any session",
        ApiScope::AuditRead => "Read the audit trail",
        ApiScope::AppsRead => "Read apps and their rules",
        ApiScope::AppsWrite => "Add, change and remove apps",
        ApiScope::GroupsRead => "Read groups and their members",
        ApiScope::GroupsWrite => "Add, change and remove groups and their members",
    }
}

/// The scopes of a token in one line.
pub fn scopes(scopes: &RequestedScopes) -> String {
    scopes.texts().join(", ")
}

impl From<&ScopesRefusal> for Phrase {
    fn from(refusal: &ScopesRefusal) -> Self {
        match refusal {
            ScopesRefusal::NoScope => Self::new("no-scope", "Choose what the token may do."),
            ScopesRefusal::UnknownScope(scope) => {
                Self::with("unknown-scope", format!("There is no scope {scope}."))
            }
            ScopesRefusal::AppNotAlone => Self::new(
                "app-not-alone",
                "A token for an app can't have other scopes. Create one token for each.",
            ),
        }
    }
}

impl From<&TokenRefusal> for Phrase {
    fn from(refusal: &TokenRefusal) -> Self {
        match refusal {
            TokenRefusal::Name(InvalidName::Empty) => {
                Self::new("empty", "Enter a name, such as that of the program that will use the token.")
            }
            TokenRefusal::Name(why) => (*why).into(),
            TokenRefusal::NameTaken => {
                Self::new("name-taken", "You already have a token with this name. Choose another name.")
            }
            TokenRefusal::RoleTooLow(scope) => Self::with(
                "role-too-low",
                format!("Only administrators can have the scope {}.", scope.as_str()),
            ),
            TokenRefusal::NoSuchApp(slug) => {
                Self::with("no-such-app", format!("No app with the short name {slug} accepts this token."))
            }
            TokenRefusal::LifetimeTooLong { max } => Self::with(
                "lifetime-too-long",
                format!("A token can last {} at most.", duration_in_words(*max)),
            ),
            TokenRefusal::LifetimeTooShort => {
                Self::new("lifetime-too-short", "A token must last at least a second.")
            }
            TokenRefusal::TooMany { max } => Self::with(
                "too-many",
                format!("You have {max} tokens, as many as an account can have. Revoke one first."),
            ),
            TokenRefusal::NoSuchUser => Flash::SessionLost.into(),
        }
    }
}
