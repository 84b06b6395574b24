//! Rules of apps and answers to requests, in words.

use std::collections::HashMap;
use std::time::Duration;

use super::phrase::Phrase;
use crate::apps::{
    Access, AccessList, AmbiguousPath, Answer, App, Explain, NotAllowed, PathMatch, RequiredFactor, Rule,
    RuleMismatch, RuleScope, Trace, UnknownAddress,
};
use crate::config::duration_in_words;
use crate::identity::{Role, UserId};

/// The email addresses of the users that rules name.
pub type UserEmails = HashMap<UserId, String>;

/// The requests of a rule, as a heading: "/admin and below, only GET and POST, from 10.0.0.0/8".
pub fn when(scope: &RuleScope) -> String {
    let mut text = match &scope.path {
        PathMatch::All => "Every path".to_owned(),
        PathMatch::Exact(path) => match path.to_string().trim_end_matches('/') {
            "" => "Only /".to_owned(),
            path => format!("Only {path} and {path}/"),
        },
        PathMatch::Below(path) => format!("{path} and below"),
    };
    if !scope.methods.is_empty() {
        text += &format!(", only {}", listed(&scope.methods, "and"));
    }
    if !scope.networks.is_empty() {
        let networks: Vec<String> = scope.networks.iter().map(ToString::to_string).collect();
        text += &format!(", from {}", listed(&networks, "or"));
    }
    text
}

/// Who a rule lets in: "Members of staff, with a second factor".
pub fn who(rule: &Rule, emails: &UserEmails) -> String {
    let mut text = match &rule.access {
        Access::Open => "Everyone, without logging in".to_owned(),
        Access::SignedIn => "Every user".to_owned(),
        Access::Listed(list) => listed_users(list, emails),
    };
    match rule.factor {
        RequiredFactor::Any => {}
        RequiredFactor::Two => text += ", with a second factor or a passkey",
        RequiredFactor::Passkey => text += ", with a passkey",
    }
    if let Some(within) = rule.fresh {
        text += &format!(", who confirmed in the last {}", last(within));
    }
    if rule.accepts_tokens() {
        text += ", also with an access token";
    } else if rule.tokens {
        text += "; access tokens are not accepted, because they prove neither a second factor nor a recent confirmation";
    }
    text
}

fn listed_users(list: &AccessList, emails: &UserEmails) -> String {
    let mut parts = Vec::new();
    if !list.groups.is_empty() {
        let groups: Vec<String> = list.groups.iter().map(ToString::to_string).collect();
        parts.push(format!("members of {}", listed(&groups, "or")));
    }
    parts.extend(list.users.iter().map(|user| match emails.get(user) {
        Some(email) => email.clone(),
        None => "a deleted user".to_owned(),
    }));
    match list.role {
        Some(Role::Admin) => parts.push("administrators".to_owned()),
        Some(Role::Member) => parts.push("every user".to_owned()),
        None => {}
    }
    capitalized(&listed(&parts, "and"))
}

/// "10 minutes", "hour".
fn last(span: Duration) -> String {
    let words = duration_in_words(span);
    words.strip_prefix("1 ").map(str::to_owned).unwrap_or(words)
}

/// "a, b and c".
fn listed(parts: &[String], last: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., end] => format!("{} {last} {end}", init.join(", ")),
    }
}

fn capitalized(text: &str) -> String {
    // An email address stays as it is.
    match text.split_once(' ') {
        Some(("members", rest)) => format!("Members {rest}"),
        Some(("every", rest)) => format!("Every {rest}"),
        Some(("administrators", rest)) => format!("Administrators {rest}"),
        _ if text == "administrators" => "Administrators".to_owned(),
        _ => text.to_owned(),
    }
}

/// What happens to a request, for an administrator.
pub fn answer(answer: Answer) -> Phrase {
    match answer {
        Answer::Pass { identity: true, .. } => {
            Phrase::new("pass", "The request reaches the app, which learns who the user is.")
        }
        Answer::Pass { identity: false, open: true } => {
            Phrase::new("pass-open", "The request reaches the app without an identity: this rule is open.")
        }
        Answer::Pass { identity: false, open: false } => {
            Phrase::new("pass-preflight", "The request reaches the app without an identity.")
        }
        Answer::LogIn => Phrase::new("log-in", "A browser is sent to the log-in page."),
        Answer::NotAllowed(NotAllowed::NoRule) => {
            Phrase::new("no-rule", "No rule matches this request, so it is refused.")
        }
        Answer::NotAllowed(NotAllowed::NotListed) => {
            Phrase::new("not-listed", "The rule that decides does not name this user.")
        }
        Answer::Confirm { within } => Phrase::with(
            "confirm",
            format!(
                "The user is asked to confirm: the rule requires a confirmation in the last {}.",
                last(within)
            ),
        ),
        Answer::SecondFactor { passkey: true, enrolled: true } => {
            Phrase::new("passkey", "The user is asked to log in again with a passkey.")
        }
        Answer::SecondFactor { passkey: false, enrolled: true } => {
            Phrase::new("second-factor", "The user is asked to log in again with a second factor.")
        }
        Answer::SecondFactor { passkey: true, enrolled: false } => Phrase::new(
            "passkey-missing",
            "The rule requires a passkey, and this user has none. They are told how to add one.",
        ),
        Answer::SecondFactor { passkey: false, enrolled: false } => Phrase::new(
            "second-factor-missing",
            "The rule requires a second factor, and this user has none. They are told how to set one up.",
        ),
        Answer::CrossSite => Phrase::new("cross-site", "Another site sent the request, so it is refused."),
        Answer::PreflightRefused => {
            Phrase::new("preflight-refused", "Another site asked whether it may send a request. It may not.")
        }
        Answer::UnknownApp => Phrase::new("unknown-app", "The app is disabled, so no request reaches it."),
        Answer::PathAmbiguous(why) => Phrase::with(
            "path-ambiguous",
            format!("Servers could read this path in different ways, so it is refused: {}.", ambiguity(why)),
        ),
        Answer::Misconfigured(UnknownAddress::UntrustedProxy) => Phrase::new(
            "untrusted-proxy",
            "The request came through a proxy that Latchkey does not trust, so the client's IP address is unknown.",
        ),
        Answer::Misconfigured(UnknownAddress::Missing) => Phrase::new(
            "unknown-address",
            "The rule depends on the client's IP address. Enter one under “From”.",
        ),
    }
}

/// Continues "… in different ways:".
pub fn ambiguity(why: AmbiguousPath) -> &'static str {
    match why {
        AmbiguousPath::NotAbsolute => "it does not begin with a slash",
        AmbiguousPath::EmptySegment => "it contains two slashes in a row",
        AmbiguousPath::DotSegment => "it contains “.” or “..” as a segment",
        AmbiguousPath::TrailingDot => "a segment ends in a dot or a space",
        AmbiguousPath::HiddenSeparator => {
            "it contains an escaped slash, backslash, null byte or percent sign"
        }
        AmbiguousPath::Backslash => "it contains a backslash",
        AmbiguousPath::Parameters => "it contains a semicolon",
        AmbiguousPath::NeedlessEscape => "it escapes a character that needs no escape",
        AmbiguousPath::BrokenEscape => "it contains a percent sign without two hexadecimal digits",
        AmbiguousPath::ControlByte => "it contains a control character",
        AmbiguousPath::NotAscii => "it contains a character that must be escaped",
    }
}

/// Why a rule was skipped.
pub fn skipped(why: RuleMismatch) -> &'static str {
    match why {
        RuleMismatch::Method => "Does not match: the rule is for other methods.",
        RuleMismatch::Path => "Does not match: the rule is for other paths.",
        RuleMismatch::Network => "Does not match: the rule is for other networks.",
    }
}

/// Why a user is refused, as far as the app's setting `explain` allows. `None`: give no reason.
pub fn why_refused(app: &App, trace: &Trace) -> Option<String> {
    let rule = trace.rule.and_then(|at| Some((at + 1, app.rules.get(at)?)));
    match (app.explain, trace.answer, rule) {
        (Explain::Off, ..) => None,
        (_, Answer::NotAllowed(NotAllowed::NoRule), _) => {
            Some("No rule of this app matches this address.".to_owned())
        }
        (Explain::Groups, Answer::NotAllowed(NotAllowed::NotListed), Some((number, rule))) => {
            let groups = match &rule.access {
                Access::Listed(list) => list.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(),
                Access::Open | Access::SignedIn => Vec::new(),
            };
            Some(match groups[..] {
                [] => format!("Rule {number} of this app lets in only certain users."),
                [group] => format!("Rule {number} of this app lets in only the group {group}."),
                _ => format!("Rule {number} of this app lets in only the groups {}.", groups.join(", ")),
            })
        }
        (_, Answer::NotAllowed(NotAllowed::NotListed), Some((number, _))) => {
            Some(format!("Rule {number} of this app lets in only other users."))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::RulePath;
    use crate::identity::GroupName;

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    #[test]
    fn a_rule_is_told_in_one_line_each() {
        let user = UserId(uuid::Uuid::new_v4());
        let mut rule = Rule::everywhere(Access::SignedIn);
        let emails = UserEmails::from([(user, "ada@example.org".to_owned())]);
        assert_eq!((when(&rule.when).as_str(), who(&rule, &emails).as_str()), ("Every path", "Every user"));
        rule.when = RuleScope {
            methods: vec!["GET".into(), "POST".into()],
            path: PathMatch::Below(RulePath::parse("/admin").unwrap()),
            networks: vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.7".parse().unwrap()],
        };
        assert_eq!(when(&rule.when), "/admin and below, only GET and POST, from 10.0.0.0/8 or 192.0.2.7/32");
        for (path, text) in [("/a", "Only /a and /a/"), ("/a/", "Only /a and /a/"), ("/", "Only /")] {
            let path = PathMatch::Exact(RulePath::parse(path).unwrap());
            assert_eq!(when(&RuleScope { path, ..RuleScope::default() }), text);
        }
        rule.access = Access::Listed(AccessList {
            groups: vec![group("staff"), group("guests")],
            users: vec![user],
            role: Some(Role::Admin),
        });
        rule.factor = RequiredFactor::Two;
        rule.fresh = Some(Duration::from_secs(600));
        assert_eq!(
            who(&rule, &emails),
            "Members of staff or guests, ada@example.org and administrators, with a second factor or a \
             passkey, who confirmed in the last 10 minutes"
        );
        let list = AccessList { users: vec![user], ..AccessList::default() };
        let rule = Rule { fresh: Some(Duration::from_secs(3600)), ..Rule::everywhere(Access::Listed(list)) };
        assert_eq!(who(&rule, &emails), "ada@example.org, who confirmed in the last hour");
        assert_eq!(who(&rule, &UserEmails::new()), "a deleted user, who confirmed in the last hour");
        let rule = Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) };
        assert_eq!(who(&rule, &UserEmails::new()), "Every user, also with an access token");
        let rule = Rule { factor: RequiredFactor::Passkey, ..rule };
        assert!(
            who(&rule, &UserEmails::new())
                .starts_with("Every user, with a passkey; access tokens are not accepted")
        );
    }
}
