//! What a token gives access to: parts of the API, or one app.

use crate::apps::{AppId, Slug};
use crate::identity::Role;

/// A part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiScope {
    Me,
    UsersRead,
    UsersWrite,
    RolesWrite,
    Invitations,
    SessionsRead,
    SessionsWrite,
    AuditRead,
    AppsRead,
    AppsWrite,
    GroupsRead,
    GroupsWrite,
}

impl ApiScope {
    pub const ALL: [Self; 12] = [
        Self::Me,
        Self::UsersRead,
        Self::UsersWrite,
        Self::RolesWrite,
        Self::Invitations,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::AuditRead,
        Self::AppsRead,
        Self::AppsWrite,
        Self::GroupsRead,
        Self::GroupsWrite,
    ];

    /// As it is stored and written in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Me => "me",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::RolesWrite => "roles:write",
            Self::Invitations => "invitations",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::AuditRead => "audit:read",
            Self::AppsRead => "apps:read",
            Self::AppsWrite => "apps:write",
            Self::GroupsRead => "groups:read",
            Self::GroupsWrite => "groups:write",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// The role that the user must have while the token is used.
    pub fn required_role(self) -> Role {
        match self {
            Self::Me => Role::Member,
            _ => Role::Admin,
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of parts of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiScopeSet(u16);

impl ApiScopeSet {
    pub fn contains(self, scope: ApiScope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`ApiScope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = ApiScope> {
        ApiScope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<ApiScope> for ApiScopeSet {
    fn from_iter<I: IntoIterator<Item = ApiScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// What a token opens: the API or one app, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScopes {
    Api(ApiScopeSet),
    App(AppId),
}

/// The same as a user or operator writes it, with the slug of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedScopes {
    Api(ApiScopeSet),
    App(Slug),
}

/// Why a list of texts does not name scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopesRefusal {
    NoScope,
    UnknownScope(String),
    /// `app:<slug>` beside another scope.
    AppNotAlone,
}

const APP: &str = "app:";

impl RequestedScopes {
    /// Reads scopes such as `users:read`, or a single `app:<slug>`.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ScopesRefusal> {
        let (mut api, mut app) = (ApiScopeSet::default(), None);
        for text in texts {
            if let Some(scope) = ApiScope::parse(text) {
                api.0 |= scope.bit();
                continue;
            }
            let unknown = || ScopesRefusal::UnknownScope(text.to_owned());
            let slug = Slug::parse(text.strip_prefix(APP).ok_or_else(unknown)?).map_err(|_| unknown())?;
            if app.replace(slug.clone()).is_some_and(|first| first != slug) {
                return Err(ScopesRefusal::AppNotAlone);
            }
        }
        match (api.is_empty(), app) {
            (true, None) => Err(ScopesRefusal::NoScope),
            (false, None) => Ok(Self::Api(api)),
            (true, Some(slug)) => Ok(Self::App(slug)),
            (false, Some(_)) => Err(ScopesRefusal::AppNotAlone),
        }
    }

    /// One text for each scope, as [`RequestedScopes::parse`] reads them.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Api(scopes) => scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            Self::App(slug) => vec![format!("{APP}{slug}")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup::SCOPES_OF_MEMBERS;

    #[test]
    fn every_scope_is_parsed_as_it_is_written() {
        for scope in ApiScope::ALL {
            assert_eq!(ApiScope::parse(scope.as_str()), Some(scope));
            let alone = RequestedScopes::parse([scope.as_str()]).unwrap();
            assert_eq!(alone, RequestedScopes::Api([scope].into_iter().collect()));
            assert_eq!(alone.texts(), [scope.as_str()]);
        }
        let all = RequestedScopes::parse(ApiScope::ALL.map(ApiScope::as_str)).unwrap();
        assert_eq!(all.texts(), ApiScope::ALL.map(ApiScope::as_str));
        let app = RequestedScopes::parse(["app:wiki", "app:wiki"]).unwrap();
        assert_eq!(app.texts(), ["app:wiki"]);
    }

    #[test]
    fn the_scope_of_an_app_combines_with_no_other() {
        for texts in [["me", "app:wiki"], ["app:wiki", "me"], ["app:wiki", "app:mail"]] {
            assert_eq!(RequestedScopes::parse(texts), Err(ScopesRefusal::AppNotAlone), "{texts:?}");
        }
    }

    #[test]
    fn unknown_scopes_are_refused() {
        assert_eq!(RequestedScopes::parse([]), Err(ScopesRefusal::NoScope));
        for text in ["", "users", "Users:read", "app:", "app:Wiki", "app", "me "] {
            assert_eq!(RequestedScopes::parse(["me", text]), Err(ScopesRefusal::UnknownScope(text.into())));
        }
    }

    #[test]
    fn only_me_is_for_members() {
        let members: Vec<ApiScope> =
            ApiScope::ALL.into_iter().filter(|scope| scope.required_role() == Role::Member).collect();
        assert_eq!(members, [ApiScope::Me]);
        // A demotion keeps the tokens that have no other scope.
        assert_eq!(members.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), SCOPES_OF_MEMBERS);
    }
}
