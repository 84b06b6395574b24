//! Why a form about an app, a rule or a group was refused, and what to do.

use super::access::ambiguity;
use super::phrase::Phrase;
use crate::apps::{
    AppRefusal, InvalidHeaderName, InvalidNetwork, InvalidOrigin, InvalidRulePath, InvalidSlug, InvalidUpstream,
};
use crate::groups::GroupRefusal;
use crate::identity::InvalidGroupName;

pub const NO_NAME: Phrase = Phrase::new("empty", "Enter a name.");
pub const NO_ORIGIN: Phrase = Phrase::new("no-origin", "Enter at least one address.");
pub const EMPTY_ACCESS: Phrase =
    Phrase::new("empty-access", "Name at least one group, user or role, or choose another access.");
pub const INVALID_METHOD: Phrase =
    Phrase::new("invalid-method", "A method consists of letters, such as GET. Separate several with spaces.");
pub const INVALID_COOKIE: Phrase =
    Phrase::new("invalid-cookie", "The name of a cookie can't contain signs such as “=”, “;” or “,”.");
pub const SAME_HEADER: Phrase =
    Phrase::new("same-header", "Each of the four headers needs a name of its own.");
pub const UNKNOWN_CHOICE: Phrase = Phrase::new("unknown-choice", "Choose one of the options.");
pub const NOT_AN_ADDRESS: Phrase = Phrase::new("invalid-ip", "Enter an IP address, such as 10.0.0.7.");

pub fn out_of_range(low: u64, high: u64) -> Phrase {
    Phrase::with("out-of-range", format!("Enter a number from {low} to {high}."))
}

pub fn too_long(max: usize) -> Phrase {
    Phrase::with("too-long", format!("Too long. Use at most {max} characters."))
}

/// An email address in the list of a rule, or in the form of a group.
pub fn unknown_user(email: &str) -> Phrase {
    Phrase::with("unknown-user", format!("There is no user with the address {email}."))
}

impl From<InvalidSlug> for Phrase {
    fn from(InvalidSlug: InvalidSlug) -> Self {
        Self::new(
            "invalid-slug",
            "Use 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end.",
        )
    }
}

impl From<InvalidGroupName> for Phrase {
    fn from(InvalidGroupName: InvalidGroupName) -> Self {
        Self::new(
            "invalid-group-name",
            "The name of a group has 1 to 64 lower-case letters, digits, dots, underscores and hyphens.",
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
                "The address must begin with https://. Only names below localhost work without.",
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
            InvalidUpstream::Malformed => Self::new(
                "invalid-upstream",
                "Enter where the app listens, such as http://127.0.0.1:3000.",
            ),
            InvalidUpstream::Userinfo => Self::new(
                "userinfo",
                "Leave out user name and password: Latchkey sends neither to an upstream.",
            ),
            InvalidUpstream::Path => Self::new(
                "upstream-path",
                "Leave out the path: the app receives the path that the browser asks for.",
            ),
            InvalidUpstream::Certificates => Self::new("certificates", "These are not certificates in PEM."),
            InvalidUpstream::CertificatesWithoutTls => {
                Self::new("certificates-without-tls", "Only an https:// upstream has certificates.")
            }
        }
    }
}

impl From<InvalidNetwork> for Phrase {
    fn from(InvalidNetwork: InvalidNetwork) -> Self {
        Self::new(
            "invalid-network",
            "Enter networks such as 10.0.0.0/8 or single IP addresses. The bits behind the prefix must be zero.",
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
            InvalidRulePath::TooLong => Self::new("too-long", "This path is longer than browsers send."),
        }
    }
}

impl From<InvalidHeaderName> for Phrase {
    fn from(why: InvalidHeaderName) -> Self {
        match why {
            InvalidHeaderName::Malformed => Self::new(
                "invalid-header",
                "The name of a header has letters, digits and hyphens, and begins with a letter.",
            ),
            InvalidHeaderName::Standard => Self::new(
                "standard-header",
                "Browsers or proxies send a header of this name. Choose another one.",
            ),
        }
    }
}

impl From<&AppRefusal> for Phrase {
    fn from(refusal: &AppRefusal) -> Self {
        match refusal {
            AppRefusal::NoSuchApp => Self::new("no-such-app", "There is no such app any more."),
            AppRefusal::FromFile => Self::new(
                "from-file",
                "This app comes from a file. Change the file and run “latchkey app apply”.",
            ),
            AppRefusal::Changed => Self::new(
                "changed",
                "The app has changed since you opened this page, so nothing was changed. Check it and try again.",
            ),
            AppRefusal::SlugTaken => Self::new("slug-taken", "Another app has this short name."),
            AppRefusal::OriginTaken(origin) => Self::with(
                "origin-taken",
                format!("{origin} is on the host of Latchkey or of another app. Each needs a host name of its own."),
            ),
            AppRefusal::UpstreamIsOurs => Self::new(
                "upstream-is-ours",
                "This is the address of Latchkey or of one of its apps. Enter where the app itself listens.",
            ),
            AppRefusal::UpstreamNotAllowed => Self::new(
                "upstream-not-allowed",
                "On this server, only the operator can set an upstream, with “latchkey app”.",
            ),
            AppRefusal::UnknownGroup(group) => {
                Self::with("unknown-group", format!("There is no group {group}. Create it first."))
            }
            AppRefusal::UnknownUser(_) => {
                Self::new("unknown-user", "One of the users that a rule names does not exist any more.")
            }
            AppRefusal::EmptyRule => EMPTY_ACCESS,
        }
    }
}

impl From<&GroupRefusal> for Phrase {
    fn from(refusal: &GroupRefusal) -> Self {
        match refusal {
            GroupRefusal::Taken => Self::new("taken", "There is already a group with this name."),
            GroupRefusal::NoSuchGroup => Self::new("no-such-group", "There is no such group any more."),
            GroupRefusal::NoSuchUser => Self::new("no-such-user", "There is no such user any more."),
            GroupRefusal::InUse(apps) => {
                let apps: Vec<&str> = apps.iter().map(|slug| slug.as_str()).collect();
                Self::with(
                    "in-use",
                    format!("Rules of {} name this group. Remove it from those rules first.", apps.join(", ")),
                )
            }
        }
    }
}
