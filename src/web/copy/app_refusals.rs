//! Why a form about an app, a rule or a group was refused, and what to do.

use super::access::ambiguity;
use super::phrase::Phrase;
use crate::apps::{
    AppRefusal, InvalidHeaderName, InvalidNetwork, InvalidOrigin, InvalidRulePath, InvalidSlug,
    InvalidUpstream, RuleRefusal,
};
use crate::groups::GroupRefusal;
use crate::identity::{InvalidGroupName, InvalidName};

pub const UNKNOWN_CHOICE: Phrase = Phrase::new("unknown-choice", "Choose one of the options.");
pub const NOT_AN_ADDRESS: Phrase = Phrase::new("invalid-ip", "Enter an IP address, such as 10.0.0.7.");

/// An email address in the list of a rule, or in the form of a group.
pub fn unknown_user(email: &str) -> Phrase {
    Phrase::with("unknown-user", format!("There is no user with the email address {email}."))
}

impl From<InvalidSlug> for Phrase {
    fn from(InvalidSlug: InvalidSlug) -> Self {
        Self::new(
            "invalid-slug",
            "Use 1 to 63 characters: a to z, digits and hyphens, with no hyphen at either end.",
        )
    }
}

impl From<InvalidGroupName> for Phrase {
    fn from(InvalidGroupName: InvalidGroupName) -> Self {
        Self::new(
            "invalid-group-name",
            "Use 1 to 64 characters: a to z, digits, dots, underscores and hyphens, but not only these three.",
        )
    }
}

impl From<InvalidOrigin> for Phrase {
    fn from(why: InvalidOrigin) -> Self {
        match why {
            InvalidOrigin::Malformed => Self::new(
                "invalid-origin",
                "Enter an address without a path, such as https://wiki.example.org.",
            ),
            InvalidOrigin::NotHttps => Self::new(
                "not-https",
                "The address must begin with https://. Only names below localhost may use http://.",
            ),
            InvalidOrigin::Address => Self::new(
                "ip-origin",
                "Use a host name instead of an IP address: browsers keep cookies and certificates by name.",
            ),
        }
    }
}

impl From<InvalidUpstream> for Phrase {
    fn from(why: InvalidUpstream) -> Self {
        match why {
            InvalidUpstream::Malformed => {
                Self::new("invalid-upstream", "Enter where the app listens, such as http://127.0.0.1:3000.")
            }
            InvalidUpstream::Userinfo => Self::new(
                "userinfo",
                "Leave out the user name and password: Latchkey sends neither to an upstream.",
            ),
            InvalidUpstream::Path => Self::new(
                "upstream-path",
                "Leave out the path: the app receives the path that the browser asks for.",
            ),
            InvalidUpstream::Certificates => Self::new("certificates", "Enter certificates in PEM format."),
            InvalidUpstream::CertificatesWithoutTls => Self::new(
                "certificates-without-tls",
                "Only an upstream that begins with https:// can have certificates.",
            ),
        }
    }
}

impl From<InvalidNetwork> for Phrase {
    fn from(InvalidNetwork: InvalidNetwork) -> Self {
        Self::new(
            "invalid-network",
            "Enter networks such as 10.0.0.0/8 or single IP addresses. All bits after the prefix must be zero.",
        )
    }
}

impl From<InvalidRulePath> for Phrase {
    fn from(why: InvalidRulePath) -> Self {
        match why {
            InvalidRulePath::Ambiguous(why) => Self::with(
                "ambiguous-path",
                format!("Servers could read this path in different ways: {}.", ambiguity(why)),
            ),
            InvalidRulePath::TooLong => {
                Self::new("too-long", "This path is too long. Browsers send no path of this length.")
            }
        }
    }
}

impl From<InvalidHeaderName> for Phrase {
    fn from(why: InvalidHeaderName) -> Self {
        match why {
            InvalidHeaderName::Malformed => Self::new(
                "invalid-header",
                "Use A to Z, digits and hyphens for the name of a header. It begins with one of A to Z.",
            ),
            InvalidHeaderName::Standard => Self::new(
                "standard-header",
                "Browsers or proxies send a header with this name. Choose another name.",
            ),
        }
    }
}

impl From<&AppRefusal> for Phrase {
    fn from(refusal: &AppRefusal) -> Self {
        match refusal {
            AppRefusal::NoSuchApp => Self::new("no-such-app", "There is no such app."),
            AppRefusal::FromFile => Self::new(
                "from-file",
                "This app comes from a file. Change the file and run “latchkey app apply”.",
            ),
            AppRefusal::Changed => Self::new(
                "changed",
                "The app has changed since you opened this page, so nothing was changed. Check it and try again.",
            ),
            AppRefusal::Unreadable { column } => unreadable(column),
            AppRefusal::SlugTaken => Self::new("slug-taken", "Another app has this short name."),
            AppRefusal::InvalidSlug => InvalidSlug.into(),
            AppRefusal::Name(InvalidName::Empty) => {
                Self::new("empty", "Enter a name for the app, such as Wiki.")
            }
            AppRefusal::Name(why) => (*why).into(),
            AppRefusal::Choice { text, choices, .. } => Self::with(
                "unknown-choice",
                format!("“{text}” is not one of the options: {}.", choices.join(", ")),
            ),
            AppRefusal::Limit { field } => limit(field),
            AppRefusal::Duration { .. } => {
                Self::new("invalid-duration", "Enter a duration such as 30s or 10m.")
            }
            AppRefusal::NoOrigin => Self::new("no-origin", "Enter at least one address."),
            AppRefusal::Origin { why, .. } => why.clone().into(),
            AppRefusal::OriginTaken(origin) => Self::with(
                "origin-taken",
                format!("Another app uses the host of {origin}. Each app needs its own host name."),
            ),
            AppRefusal::PortalOrigin(origin) => Self::with(
                "portal-origin",
                format!("Latchkey itself uses the host of {origin}. Each app needs its own host name."),
            ),
            AppRefusal::SameHost(origin) => Self::with(
                "same-host",
                format!(
                    "Two addresses have the host of {origin}. Ports don't count: an app can have only one address for each host."
                ),
            ),
            AppRefusal::NoUpstream => {
                Self::new("no-upstream", "Enter where the app listens, such as http://127.0.0.1:3000.")
            }
            AppRefusal::Upstream(why) => (*why).into(),
            AppRefusal::UpstreamIsOurs => Self::new(
                "upstream-is-ours",
                "This is the address of Latchkey or of one of its apps. Enter where the app itself listens.",
            ),
            AppRefusal::UpstreamNotAllowed => Self::new(
                "upstream-not-allowed",
                "On this server, only the operator can set an upstream, with “latchkey app”.",
            ),
            AppRefusal::Header { why, .. } => (*why).into(),
            AppRefusal::DuplicateHeader => {
                Self::new("duplicate-header", "Give each of the four headers a different name.")
            }
            AppRefusal::Cookie { text } => Self::with(
                "invalid-cookie",
                format!(
                    "“{text}” can't be the name of an app's cookie. Leave out spaces and characters such as “=”, “;” and “,”, and the word “latchkey”."
                ),
            ),
            AppRefusal::TooManyRules { max } => Self::with(
                "too-many-rules",
                format!("An app can have at most {max} rules. Remove one first."),
            ),
            AppRefusal::Rule { why, .. } => why.into(),
        }
    }
}

/// An app with a value in this column that this version does not know.
pub fn unreadable(column: &str) -> Phrase {
    Phrase::with(
        "unreadable",
        format!(
            "This version of Latchkey doesn't know the value that is stored in {column}, so it refuses all requests \
             for the app. Run the version that stored it, or remove the app with “latchkey app remove” and add it again."
        ),
    )
}

/// A limit that is not a number, or outside its bounds.
pub fn limit(field: &str) -> Phrase {
    let text = match field {
        "max_body" => "Enter a number of megabytes, or leave the field empty.",
        "max_in_flight" => "Enter a number of requests, at least 1.",
        "close_code" => "Enter a code that a server may close a websocket with, such as 1008.",
        _ => "Enter a number of seconds, at least 1 and at most an hour.",
    };
    Phrase::new("out-of-range", text)
}

impl From<&RuleRefusal> for Phrase {
    fn from(refusal: &RuleRefusal) -> Self {
        match refusal {
            RuleRefusal::NoAccess => Self::new(
                "no-access",
                "Say who gets in: at least one group, user or role, every user, or everyone.",
            ),
            RuleRefusal::EmptyList => Self::new("empty-list", "An empty list lets no one in. Leave it out."),
            RuleRefusal::TooManyEntries { max } => Self::with(
                "too-many-entries",
                format!("A list in a rule can have at most {max} entries. Use a group for more users."),
            ),
            RuleRefusal::TwoAnswers => Self::new(
                "two-answers",
                "The rule says who gets in twice. Use either “access” or a list of groups, users or a role.",
            ),
            RuleRefusal::OpenWithProof => Self::new(
                "open-with-proof",
                "Visitors can't prove anything. A rule that is open to everyone can't ask for a second factor or a confirmation, and can't accept access tokens.",
            ),
            RuleRefusal::NoPath => Self::new("no-path", "Say which paths the rule is for."),
            RuleRefusal::SeveralPaths => Self::new("several-paths", "Use one of “all”, “exact” and “below”."),
            RuleRefusal::Path(why) => (*why).into(),
            RuleRefusal::Method { text } => Self::with(
                "invalid-method",
                format!("“{text}” is not a method. Use names such as GET, separated by spaces."),
            ),
            RuleRefusal::Network { .. } => InvalidNetwork.into(),
            RuleRefusal::Group { .. } => InvalidGroupName.into(),
            RuleRefusal::UnknownGroup(group) => {
                Self::with("unknown-group", format!("There is no group {group}. Create it first."))
            }
            RuleRefusal::UnknownUser { text } => unknown_user(text),
            RuleRefusal::UnknownRole { text } => {
                Self::with("unknown-role", format!("“{text}” is not a role. Use “member” or “admin”."))
            }
            RuleRefusal::UnknownAccess { text } => Self::with(
                "unknown-access",
                format!("“{text}” is not a kind of access. Use “open” or “signed-in”, or a list."),
            ),
            RuleRefusal::UnknownFactor { text } => Self::with(
                "unknown-factor",
                format!("“{text}” is not a factor. Use “any”, “two” or “passkey”."),
            ),
            RuleRefusal::Fresh => Self::new(
                "fresh",
                "Enter how old the confirmation may be, such as 10m: at least a minute and at most 30 days.",
            ),
            RuleRefusal::NoteTooLong { max } => {
                Self::with("note-too-long", format!("Use a shorter note: at most {max} characters."))
            }
        }
    }
}

impl From<&GroupRefusal> for Phrase {
    fn from(refusal: &GroupRefusal) -> Self {
        match refusal {
            GroupRefusal::Taken => Self::new("taken", "There is already a group with this name."),
            GroupRefusal::NoSuchGroup => Self::new("no-such-group", "There is no such group."),
            GroupRefusal::NoSuchUser => Self::new("no-such-user", "There is no such user."),
            GroupRefusal::Changed => super::api::CHANGED_SINCE,
            GroupRefusal::InUse(apps) => Self::with(
                "in-use",
                format!("Rules of {} name this group. Remove it from those rules first.", apps.join(", ")),
            ),
            GroupRefusal::NoteTooLong { max } => {
                Self::with("note-too-long", format!("Use a shorter note: at most {max} characters."))
            }
        }
    }
}
