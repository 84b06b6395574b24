//! Why an app or a rule is not accepted.

use crate::apps::header_names::InvalidHeaderName;
use crate::apps::origin::{AppOrigin, InvalidOrigin};
use crate::apps::path::InvalidRulePath;
use crate::apps::upstream::InvalidUpstream;
use crate::identity::{GroupName, InvalidName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRefusal {
    NoSuchApp,
    /// The app comes from a file, so pages cannot change it.
    FromFile,
    /// The app has been changed in the meantime.
    Changed,
    /// This version does not know a value of the stored app.
    Unreadable {
        column: &'static str,
    },
    SlugTaken,
    InvalidSlug,
    Name(InvalidName),
    /// A value that is not one of a fixed list.
    Choice {
        field: &'static str,
        text: String,
        choices: Vec<&'static str>,
    },
    /// A limit outside its bounds.
    Limit {
        field: &'static str,
    },
    /// Not a duration such as `10m`.
    Duration {
        field: &'static str,
    },
    NoOrigin,
    Origin {
        text: String,
        why: InvalidOrigin,
    },
    /// Another app has this host.
    OriginTaken(AppOrigin),
    /// The portal has this host.
    PortalOrigin(AppOrigin),
    /// Two origins of one app on one host.
    SameHost(AppOrigin),
    /// Proxy mode needs an upstream.
    NoUpstream,
    Upstream(InvalidUpstream),
    /// The upstream is the portal or an app behind it, so requests would loop.
    UpstreamIsOurs,
    /// Upstreams are set in a file or on the command line only.
    UpstreamNotAllowed,
    Header {
        text: String,
        why: InvalidHeaderName,
    },
    DuplicateHeader,
    Cookie {
        text: String,
    },
    TooManyRules {
        max: usize,
    },
    Rule {
        /// From 0.
        at: usize,
        why: RuleRefusal,
    },
}

/// The error in one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleRefusal {
    /// The rule does not say who gets in.
    NoAccess,
    /// A list is empty.
    EmptyList,
    /// A list is too long.
    TooManyEntries {
        max: usize,
    },
    /// A list is given together with `access`.
    TwoAnswers,
    /// An open rule cannot ask for a factor or a fresh proof: visitors have neither.
    OpenWithProof,
    /// The rule does not say which paths it is for.
    NoPath,
    SeveralPaths,
    Path(InvalidRulePath),
    Method {
        text: String,
    },
    Network {
        text: String,
    },
    Group {
        text: String,
    },
    UnknownGroup(GroupName),
    UnknownUser {
        text: String,
    },
    UnknownRole {
        text: String,
    },
    UnknownAccess {
        text: String,
    },
    UnknownFactor {
        text: String,
    },
    Fresh,
    NoteTooLong {
        max: usize,
    },
}

impl RuleRefusal {
    pub(super) fn at(self, at: usize) -> AppRefusal {
        AppRefusal::Rule { at, why: self }
    }
}

/// Why a file of apps is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRefusal {
    /// Not TOML, or not the format of such a file. Contains the parser's message.
    Malformed(String),
    App {
        slug: String,
        why: AppRefusal,
    },
}

impl AppRefusal {
    pub(super) fn of(self, slug: &str) -> FileRefusal {
        FileRefusal::App { slug: slug.to_owned(), why: self }
    }
}

/// A warning about an app that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppWarning {
    /// A rule lets in every user, and anyone may register.
    AnyoneMayRegister,
    /// There is no rule.
    NobodyAllowed,
}
