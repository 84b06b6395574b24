//! A rule as it is written in a file.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::apps::app_refusal::{AppRefusal, RuleRefusal};
use crate::apps::choices::RequiredFactor;
use crate::apps::entry_duration::written;
use crate::apps::path::RulePath;
use crate::apps::rule::{Access, AccessList, PathMatch, Rule, RuleScope};
use crate::apps::user_lookup::UserLookup;
use crate::config::{AppBounds, Span};
use crate::db::Failed;
use crate::identity::{GroupName, Role, UserId};

/// A rule. It has exactly one of `all`, `exact` and `below`, and either `access` or some of `groups`, `users` and `role`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleEntry {
    /// `true`: every path.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    /// Only this path, with or without a slash at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<String>,
    /// Only this path and everything below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<String>,
    /// Only these methods; GET includes HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<String>>,
    /// Only from these networks, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<String>>,
    /// `signed-in`: every user. `open`: everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<String>,
    /// Let members of these groups in.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Let these users in: email addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<String>>,
    /// Let users with this role in: `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// How the user must have logged in: `any`, `two` (a second factor or a passkey) or `passkey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<String>,
    /// How recently the user must have confirmed their identity, such as `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<String>,
    /// Whether access tokens are accepted. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<bool>,
    /// What the rule is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl RuleEntry {
    /// The rule that this entry describes.
    ///
    /// * `at`: its position, from 0.
    /// * `user`: finds the id of a user who is written as an email address or an id.
    pub(super) fn rule(&self, at: usize, user: &mut UserLookup<'_>) -> Result<Rule, Failed<AppRefusal>> {
        let refused = |why: RuleRefusal| Failed::Refused(why.at(at));
        // Before the users are looked up.
        let lists = [&self.groups, &self.users, &self.methods, &self.networks];
        if lists.into_iter().flatten().any(|list| list.len() > AppBounds::LISTED) {
            return Err(refused(RuleRefusal::TooManyEntries { max: AppBounds::LISTED }));
        }
        let mut users = Vec::new();
        for text in self.users.iter().flatten() {
            let unknown = || refused(RuleRefusal::UnknownUser { text: text.clone() });
            users.push(user(text)?.ok_or_else(unknown)?);
        }
        self.with_users(users).map_err(refused)
    }

    fn with_users(&self, users: Vec<UserId>) -> Result<Rule, RuleRefusal> {
        let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        if [&self.groups, &self.users, &self.methods, &self.networks].into_iter().any(is_empty) {
            return Err(RuleRefusal::EmptyList);
        }
        let networks = self.networks.iter().flatten();
        let networks = networks
            .map(|text| text.parse().map_err(|_| RuleRefusal::Network { text: text.clone() }))
            .collect::<Result<_, _>>()?;
        let methods = self.methods.iter().flatten().map(|method| method.to_ascii_uppercase()).collect();
        let factor = match &self.factor {
            None => RequiredFactor::Any,
            Some(text) => RequiredFactor::parse(text)
                .ok_or_else(|| RuleRefusal::UnknownFactor { text: text.clone() })?,
        };
        let fresh = self.fresh.as_deref().map(|text| Span::parse(text).ok_or(RuleRefusal::Fresh));
        Ok(Rule {
            when: RuleScope { methods, path: self.path()?, networks },
            access: self.access(users)?,
            factor,
            fresh: fresh.transpose()?.map(Span::std),
            tokens: self.tokens.unwrap_or(false),
            note: self.note.clone().unwrap_or_default(),
        })
    }

    fn path(&self) -> Result<PathMatch, RuleRefusal> {
        let path = |text: &str| RulePath::parse(text).map_err(RuleRefusal::Path);
        match (self.all, &self.exact, &self.below) {
            (Some(true), None, None) => Ok(PathMatch::All),
            (None, Some(text), None) => path(text).map(PathMatch::Exact),
            (None, None, Some(text)) => path(text).map(PathMatch::Below),
            (None | Some(false), None, None) => Err(RuleRefusal::NoPath),
            _ => Err(RuleRefusal::SeveralPaths),
        }
    }

    fn access(&self, users: Vec<UserId>) -> Result<Access, RuleRefusal> {
        let groups = self.groups.iter().flatten();
        let groups = groups
            .map(|text| GroupName::parse(text).map_err(|_| RuleRefusal::Group { text: text.clone() }))
            .collect::<Result<_, _>>()?;
        let role = self
            .role
            .as_ref()
            .map(|text| Role::parse(text).ok_or_else(|| RuleRefusal::UnknownRole { text: text.clone() }));
        let list = AccessList { groups, users, role: role.transpose()? };
        match (self.access.as_deref(), list.is_empty()) {
            (None, true) => Err(RuleRefusal::NoAccess),
            (None, false) => Ok(Access::Listed(list)),
            (Some(_), false) => Err(RuleRefusal::TwoAnswers),
            (Some("open"), true) => Ok(Access::Open),
            (Some("signed-in"), true) => Ok(Access::SignedIn),
            (Some(text), true) => Err(RuleRefusal::UnknownAccess { text: text.to_owned() }),
        }
    }

    pub(super) fn of(rule: &Rule, user: &dyn Fn(UserId) -> String) -> Self {
        let texts = |texts: Vec<String>| (!texts.is_empty()).then_some(texts);
        let (list, access) = match &rule.access {
            Access::Listed(list) => (list.clone(), None),
            plain => (AccessList::default(), Some(plain.as_str().to_owned())),
        };
        let (all, exact, below) = match &rule.when.path {
            PathMatch::All => (Some(true), None, None),
            PathMatch::Exact(path) => (None, Some(path.to_string()), None),
            PathMatch::Below(path) => (None, None, Some(path.to_string())),
        };
        Self {
            all,
            exact,
            below,
            methods: texts(rule.when.methods.clone()),
            networks: texts(rule.when.networks.iter().map(ToString::to_string).collect()),
            access,
            groups: texts(list.groups.iter().map(ToString::to_string).collect()),
            users: texts(list.users.iter().map(|id| user(*id)).collect()),
            role: list.role.map(|role| role.as_str().to_owned()),
            factor: (rule.factor != RequiredFactor::Any).then(|| rule.factor.as_str().to_owned()),
            fresh: rule.fresh.map(written),
            tokens: rule.tokens.then_some(true),
            note: (!rule.note.is_empty()).then(|| rule.note.clone()),
        }
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().flatten().map(String::as_str)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }
}
