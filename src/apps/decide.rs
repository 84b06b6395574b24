//! Decides whether a request reaches an app. The proxy, the pages and `latchkey app explain` all call [`decide`].

use std::borrow::Cow;

use crate::apps::answer::{Answer, NotAllowed, RuleMismatch, Trace, UnknownAddress};
use crate::apps::app::App;
use crate::apps::caller::{Caller, CallerKind};
use crate::apps::choices::RequiredFactor;
use crate::apps::path::{canonical, folded};
use crate::apps::request::{AccessRequest, RequestKind, is_safe};
use crate::apps::rule::{Access, PathMatch, Rule};
use crate::db::time::Moment;
use crate::identity::LoginMethod;

/// The answer to `request`, sent by `caller` (`None`: without a live session or token) at `now`. The first rule that matches the
/// request decides; if none matches, the request is refused.
pub fn decide(
    app: &App,
    request: &AccessRequest<'_>,
    caller: Option<&Caller<'_>>,
    now: Moment,
) -> (Answer, Trace) {
    decide_with_trace(app, request, caller, now, |_, _| {})
}

/// Like [`decide`], and calls `skipped` with each rule before the one that decided, and why it was skipped.
pub fn decide_with_trace(
    app: &App,
    request: &AccessRequest<'_>,
    caller: Option<&Caller<'_>>,
    now: Moment,
    mut skipped: impl FnMut(usize, RuleMismatch),
) -> (Answer, Trace) {
    let (answer, rule) = match path_of(app, request) {
        _ if !app.enabled => (Answer::UnknownApp, None),
        Err(answer) => (answer, None),
        Ok(path) => match across_sites(app, request) {
            Some(answer) => (answer, None),
            None => by_rules(app, request, &path, caller, now, &mut skipped),
        },
    };
    (answer, Trace { rule, answer })
}

/// The path that rules are compared with. An app without rules about paths accepts any path.
fn path_of<'a>(app: &App, request: &AccessRequest<'a>) -> Result<Cow<'a, [u8]>, Answer> {
    if !app.has_path_rules() {
        return Ok(Cow::Borrowed(&[]));
    }
    let path = canonical(request.path).map_err(Answer::PathAmbiguous)?;
    Ok(if app.ignore_case { Cow::Owned(folded(&path)) } else { path })
}

/// The answer to a request that a page of another site sends. Browsers name that site in every request that could cause
/// harm.
fn across_sites(app: &App, request: &AccessRequest<'_>) -> Option<Answer> {
    let is_trusted = match request.origin {
        // A page with an opaque origin, or one whose referrer policy hides it.
        Some("null") => request.fetch_site == Some("same-origin"),
        Some(origin) => app.trusts(origin),
        None => !matches!(request.fetch_site, Some("cross-site" | "same-site")),
    };
    match request.kind {
        // A preflight carries no cookie, so no rule can decide about it. Browsers send none for the app's own origin: a
        // client that does so is trying to bypass the rules.
        RequestKind::Preflight => Some(match request.origin {
            Some(origin) if app.also_from.iter().any(|other| other.is(origin)) => {
                Answer::Pass { identity: false, open: false }
            }
            _ => Answer::PreflightRefused,
        }),
        RequestKind::Websocket if !is_trusted => Some(Answer::CrossSite),
        _ if !is_trusted && !is_safe(request.method) => Some(Answer::CrossSite),
        _ => None,
    }
}

fn by_rules(
    app: &App,
    request: &AccessRequest<'_>,
    path: &[u8],
    caller: Option<&Caller<'_>>,
    now: Moment,
    skipped: &mut impl FnMut(usize, RuleMismatch),
) -> (Answer, Option<usize>) {
    for (at, rule) in app.rules.iter().enumerate() {
        match applies(rule, request, path, app.ignore_case) {
            Ok(Applies::Yes) => return (by_rule(rule, caller, now), Some(at)),
            Ok(Applies::Unless(why)) => return (Answer::Misconfigured(why), Some(at)),
            Err(why) => skipped(at, why),
        }
    }
    (Answer::NotAllowed(NotAllowed::NoRule), None)
}

/// Whether a rule matches a request.
enum Applies {
    Yes,
    /// The rule depends on an IP address that is not known.
    Unless(UnknownAddress),
}

fn applies(
    rule: &Rule,
    request: &AccessRequest<'_>,
    path: &[u8],
    ignore_case: bool,
) -> Result<Applies, RuleMismatch> {
    if !rule.when.has_method(request.method) {
        return Err(RuleMismatch::Method);
    }
    let has_path = match &rule.when.path {
        PathMatch::All => true,
        PathMatch::Exact(own) => own.is(path, ignore_case),
        PathMatch::Below(own) => own.is_above(path, ignore_case),
    };
    if !has_path {
        return Err(RuleMismatch::Path);
    }
    if rule.when.networks.is_empty() {
        return Ok(Applies::Yes);
    }
    match request.client {
        _ if request.client_is_doubtful => Ok(Applies::Unless(UnknownAddress::UntrustedProxy)),
        None => Ok(Applies::Unless(UnknownAddress::Missing)),
        Some(address) if rule.when.has_address(address) => Ok(Applies::Yes),
        Some(_) => Err(RuleMismatch::Network),
    }
}

/// The answer of the rule that decides.
fn by_rule(rule: &Rule, caller: Option<&Caller<'_>>, now: Moment) -> Answer {
    // With a token that the rule does not accept, the caller is treated as a visitor.
    let caller = caller.filter(|caller| caller.kind == CallerKind::Session || rule.accepts_tokens());
    let Some(caller) = caller else {
        return match rule.access {
            Access::Open => Answer::Pass { identity: false, open: true },
            Access::SignedIn | Access::Listed(_) => Answer::LogIn,
        };
    };
    match &rule.access {
        Access::Open => return Answer::Pass { identity: true, open: true },
        Access::SignedIn => {}
        Access::Listed(list) if !caller.is_on(list) => return Answer::NotAllowed(NotAllowed::NotListed),
        Access::Listed(_) => {}
    }
    if !has_factor(caller.method, rule.factor) {
        let passkey = rule.factor == RequiredFactor::Passkey;
        let enrolled = caller.enrolled.passkey || (!passkey && caller.enrolled.totp);
        return Answer::SecondFactor { passkey, enrolled };
    }
    match rule.fresh {
        Some(within) if now.since(caller.proved_at) > within => Answer::Confirm { within },
        _ => Answer::Pass { identity: true, open: false },
    }
}

/// Whether a session that was opened by `method` has the factor.
fn has_factor(method: Option<LoginMethod>, required: RequiredFactor) -> bool {
    match required {
        RequiredFactor::Any => true,
        // A passkey also verifies its user, so it counts as two factors.
        RequiredFactor::Two => method.is_some_and(|method| method != LoginMethod::Password),
        RequiredFactor::Passkey => {
            matches!(method, Some(LoginMethod::Passkey | LoginMethod::PasswordAndPasskey))
        }
    }
}

#[cfg(test)]
mod tests;
