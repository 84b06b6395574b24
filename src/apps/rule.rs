//! A rule of an app: which requests it matches, and who it lets in.

use std::net::IpAddr;
use std::time::Duration;

use crate::apps::choices::RequiredFactor;
use crate::apps::network::Network;
use crate::apps::path::RulePath;
use crate::identity::{GroupName, Role, UserId};

/// The first rule that matches a request decides; later rules are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The requests that the rule matches.
    pub when: RuleScope,
    pub access: Access,
    pub factor: RequiredFactor,
    /// How old the last proof of identity may be.
    pub fresh: Option<Duration>,
    /// Whether a personal access token may be used: see [`Rule::accepts_tokens`].
    pub tokens: bool,
    pub note: String,
}

/// The requests that a rule matches. Empty lists exclude nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleScope {
    /// In upper case. `GET` includes `HEAD`.
    pub methods: Vec<String>,
    pub path: PathMatch,
    pub networks: Vec<Network>,
}

/// The paths of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PathMatch {
    #[default]
    All,
    /// This path alone, with or without a slash at the end.
    Exact(RulePath),
    /// This path and every path that begins with it and a slash.
    Below(RulePath),
}

/// Who a rule lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Visitors too.
    Open,
    /// Every user.
    SignedIn,
    /// Users who are in one of the groups, are listed, or have the role.
    Listed(AccessList),
}

/// At least one of the three is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    pub groups: Vec<GroupName>,
    pub users: Vec<UserId>,
    pub role: Option<Role>,
}

impl AccessList {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty() && self.role.is_none()
    }
}

impl Access {
    /// The name of the kind in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::SignedIn => "signed-in",
            Self::Listed(_) => "listed",
        }
    }

    /// The groups that are named.
    pub fn groups(&self) -> &[GroupName] {
        match self {
            Self::Listed(list) => &list.groups,
            Self::Open | Self::SignedIn => &[],
        }
    }
}

impl Rule {
    /// A rule that lets `access` in everywhere.
    pub fn everywhere(access: Access) -> Self {
        Self {
            when: RuleScope::default(),
            access,
            factor: RequiredFactor::Any,
            fresh: None,
            tokens: false,
            note: String::new(),
        }
    }

    /// Whether the rule accepts access tokens. A token proves neither a second factor nor a recent confirmation, so a rule
    /// that requires one of these accepts no token.
    pub fn accepts_tokens(&self) -> bool {
        self.tokens && self.factor == RequiredFactor::Any && self.fresh.is_none()
    }
}

impl RuleScope {
    pub(super) fn has_method(&self, method: &str) -> bool {
        // Some servers accept "get", so a rule about GET must match it as well.
        let is = |own: &String| {
            own.eq_ignore_ascii_case(method)
                || (own.eq_ignore_ascii_case("GET") && method.eq_ignore_ascii_case("HEAD"))
        };
        self.methods.is_empty() || self.methods.iter().any(is)
    }

    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}
