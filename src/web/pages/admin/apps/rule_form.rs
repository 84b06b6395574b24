//! The form of a new rule.

use std::time::Duration;

use serde::Deserialize;

use super::words;
use crate::accounts::Accounts;
use crate::apps::{
    Access, AccessList, AppRefusal, Network, PathMatch, RequiredFactor, Rule, RulePath, RuleRefusal,
    RuleScope,
};
use crate::db::Fault;
use crate::identity::{Email, GroupName, Role};
use crate::web::copy::app_choices::{ACCESS, FRESH, PATH_KINDS};
use crate::web::copy::app_refusals::{UNKNOWN_CHOICE, unknown_user};
use crate::web::http::form::{Fields, FormInput, Preset, Text};

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct RuleForm {
    pub seen: Preset,
    path_kind: Text,
    path: Text,
    methods: Text,
    networks: Text,
    access: Text,
    groups: Text,
    users: Text,
    admins: Text,
    factor: Text,
    fresh: Text,
    tokens: Text,
    note: Text,
    place: Text,
}

impl FormInput for RuleForm {}

impl RuleForm {
    /// The rule, unless a field was refused.
    pub async fn rule(&self, accounts: &Accounts, fields: &mut Fields) -> Result<Option<Rule>, Fault> {
        let when =
            RuleScope { path: self.path(fields), methods: self.methods(), networks: self.networks(fields) };
        let access = self.access(accounts, fields).await?;
        let factor = match RequiredFactor::parse(or(&self.factor, RequiredFactor::Any.as_str())) {
            Some(factor) => factor,
            None => {
                fields.refuse("factor", UNKNOWN_CHOICE);
                RequiredFactor::Any
            }
        };
        let fresh = self.fresh.as_str();
        if !FRESH.iter().any(|(value, _)| *value == fresh) {
            fields.refuse("fresh", UNKNOWN_CHOICE);
        }
        let fresh = fresh.parse().ok().map(Duration::from_secs);
        let tokens = !self.tokens.as_str().is_empty();
        let note = self.note.as_str().trim().to_owned();
        let rule = Rule { when, access, factor, fresh, tokens, note };
        Ok(fields.errors().is_empty().then_some(rule))
    }

    /// Where the rule goes among `count` others: first, unless the user chose another place.
    pub fn place(&self, count: usize) -> usize {
        self.place.as_str().parse().unwrap_or(0).min(count)
    }

    fn path(&self, fields: &mut Fields) -> PathMatch {
        let (kind, path) = (or(&self.path_kind, "below"), self.path.as_str().trim());
        if !PATH_KINDS.iter().any(|(value, _)| *value == kind) {
            fields.refuse("path_kind", UNKNOWN_CHOICE);
        }
        if path.is_empty() {
            return PathMatch::All;
        }
        match RulePath::parse(path) {
            Ok(path) if kind == "exact" => PathMatch::Exact(path),
            Ok(path) => PathMatch::Below(path),
            Err(why) => {
                fields.refuse("path", why);
                PathMatch::All
            }
        }
    }

    fn methods(&self) -> Vec<String> {
        let mut methods: Vec<String> = Vec::new();
        for method in words(self.methods.as_str()).map(str::to_ascii_uppercase) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        methods
    }

    fn networks(&self, fields: &mut Fields) -> Vec<Network> {
        let parsed: Result<_, _> = words(self.networks.as_str()).map(str::parse::<Network>).collect();
        parsed.unwrap_or_else(|why| {
            fields.refuse("networks", why);
            Vec::new()
        })
    }

    async fn access(&self, accounts: &Accounts, fields: &mut Fields) -> Result<Access, Fault> {
        match or(&self.access, "listed") {
            "open" => return Ok(Access::Open),
            "signed-in" => return Ok(Access::SignedIn),
            kind if ACCESS.iter().any(|(value, _)| *value == kind) => {}
            _ => fields.refuse("access", UNKNOWN_CHOICE),
        }
        let mut list = AccessList {
            role: (!self.admins.as_str().is_empty()).then_some(Role::Admin),
            ..AccessList::default()
        };
        for word in words(self.groups.as_str()) {
            match GroupName::parse(word) {
                Ok(group) if list.groups.contains(&group) => {}
                Ok(group) => list.groups.push(group),
                Err(why) => {
                    fields.refuse("groups", why);
                    break;
                }
            }
        }
        for word in words(self.users.as_str()) {
            let found = match Email::parse(word) {
                Ok(email) => accounts.admin.user_id(&email).await?,
                Err(_) => None,
            };
            match found {
                Some(user) if list.users.contains(&user) => {}
                Some(user) => list.users.push(user),
                None => {
                    fields.refuse("users", unknown_user(word));
                    break;
                }
            }
        }
        Ok(Access::Listed(list))
    }
}

/// Shows why a rule was not accepted, beside the field.
pub fn refuse(fields: &mut Fields, refusal: &AppRefusal) {
    let field = match refusal {
        AppRefusal::Rule { why, .. } => match why {
            RuleRefusal::Path(_) | RuleRefusal::NoPath | RuleRefusal::SeveralPaths => "path",
            RuleRefusal::Method { .. } => "methods",
            RuleRefusal::Network { .. } => "networks",
            RuleRefusal::Group { .. } | RuleRefusal::UnknownGroup(_) => "groups",
            RuleRefusal::UnknownUser { .. } => "users",
            RuleRefusal::OpenWithProof | RuleRefusal::UnknownFactor { .. } => "factor",
            RuleRefusal::Fresh => "fresh",
            RuleRefusal::NoteTooLong { .. } => "note",
            RuleRefusal::NoAccess
            | RuleRefusal::TooManyEntries { .. }
            | RuleRefusal::EmptyList
            | RuleRefusal::TwoAnswers
            | RuleRefusal::UnknownRole { .. }
            | RuleRefusal::UnknownAccess { .. } => "access",
        },
        _ => "",
    };
    fields.refuse(field, refusal);
}

/// A choice that a script may leave out.
fn or<'a>(field: &'a Text, default: &'a str) -> &'a str {
    if field.as_str().is_empty() { default } else { field.as_str() }
}
