//! Checks an app before it is stored, beyond the guarantees of its types.

use crate::apps::app::App;
use crate::apps::app_refusal::{AppRefusal, RuleRefusal};
use crate::apps::choices::{AppMode, RequiredFactor};
use crate::apps::origin::AppOrigin;
use crate::apps::ours::Portal;
use crate::apps::rule::{Access, Rule};
use crate::apps::stored::UnreadableApp;
use crate::config::AppBounds;
use crate::identity::Name;

/// Checks an app against the portal and all other apps.
pub(super) fn check(
    app: &App,
    portal: &Portal,
    others: &[&App],
    unreadable: &[UnreadableApp],
) -> Result<(), AppRefusal> {
    Name::parse(&app.name).map_err(AppRefusal::Name)?;
    let slugs = others.iter().map(|other| other.slug.as_str());
    if slugs.chain(unreadable.iter().map(|other| &*other.slug)).any(|slug| slug == app.slug.as_str()) {
        return Err(AppRefusal::SlugTaken);
    }
    check_origins(app, portal, others, unreadable)?;
    check_upstream(app, portal, others)?;
    if app.header_names.has_duplicate() {
        return Err(AppRefusal::DuplicateHeader);
    }
    if let Some(text) = app.app_cookies.iter().find(|name| !is_cookie_name(name)) {
        return Err(AppRefusal::Cookie { text: text.clone() });
    }
    check_limits(app)?;
    if app.rules.len() > AppBounds::RULES {
        return Err(AppRefusal::TooManyRules { max: AppBounds::RULES });
    }
    app.rules.iter().enumerate().try_for_each(|(at, rule)| check_rule(rule).map_err(|why| why.at(at)))
}

fn check_origins(
    app: &App,
    portal: &Portal,
    others: &[&App],
    unreadable: &[UnreadableApp],
) -> Result<(), AppRefusal> {
    if app.origins.is_empty() {
        return Err(AppRefusal::NoOrigin);
    }
    for (at, origin) in app.origins.iter().enumerate() {
        if portal.has_host_of(origin) {
            return Err(AppRefusal::PortalOrigin(origin.clone()));
        }
        if app.origins[..at].iter().any(|earlier| earlier.host() == origin.host()) {
            return Err(AppRefusal::SameHost(origin.clone()));
        }
        let taken = others.iter().flat_map(|other| &other.origins).map(AppOrigin::host);
        let also_taken = unreadable.iter().flat_map(|other| &other.hosts).map(String::as_str);
        if taken.chain(also_taken).any(|host| host == origin.host()) {
            return Err(AppRefusal::OriginTaken(origin.clone()));
        }
    }
    Ok(())
}

fn check_upstream(app: &App, portal: &Portal, others: &[&App]) -> Result<(), AppRefusal> {
    if app.upstream.is_none() && app.mode == AppMode::Proxy {
        return Err(AppRefusal::NoUpstream);
    }
    let leads_back = app
        .upstream
        .as_ref()
        .is_some_and(|upstream| portal.is_reached_by(upstream, others.iter().copied().chain([app])));
    // The upstream of another app may lead to a new origin.
    let is_reached = others.iter().filter_map(|other| other.upstream.as_ref()).any(|upstream| {
        portal.is_reached_by(upstream, [app]) && !portal.is_reached_by(upstream, others.iter().copied())
    });
    if leads_back || is_reached { Err(AppRefusal::UpstreamIsOurs) } else { Ok(()) }
}

/// Whether a name is a cookie of the app: a token (RFC 6265 §4.1.1), and not one of ours.
fn is_cookie_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=128).contains(&name.len())
        && name.bytes().all(is_token)
        && !name.to_ascii_lowercase().contains("latchkey")
}

fn check_limits(app: &App) -> Result<(), AppRefusal> {
    let limits = &app.limits;
    let is_duration = |duration| AppBounds::DURATION.contains(&duration);
    let wrong = [
        ("max_body", limits.max_body.is_none_or(|bytes| (1..=AppBounds::BODY).contains(&bytes))),
        ("connect", is_duration(limits.connect)),
        ("head", is_duration(limits.head)),
        ("idle", is_duration(limits.idle)),
        ("max_in_flight", (1..=AppBounds::IN_FLIGHT).contains(&limits.max_in_flight)),
        // Those that an endpoint may send (RFC 6455 §7.4).
        ("close_code", matches!(app.close_code, 1000..=1003 | 1007..=1014 | 3000..=4999)),
    ];
    match wrong.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(AppRefusal::Limit { field }),
        None => Ok(()),
    }
}

fn check_rule(rule: &Rule) -> Result<(), RuleRefusal> {
    let of_list = match &rule.access {
        Access::Listed(list) => list.groups.len().max(list.users.len()),
        Access::Open | Access::SignedIn => 0,
    };
    if of_list.max(rule.when.networks.len()).max(rule.when.methods.len()) > AppBounds::LISTED {
        return Err(RuleRefusal::TooManyEntries { max: AppBounds::LISTED });
    }
    match &rule.access {
        Access::Listed(list) if list.is_empty() => return Err(RuleRefusal::NoAccess),
        Access::Open if rule.factor != RequiredFactor::Any || rule.fresh.is_some() || rule.tokens => {
            return Err(RuleRefusal::OpenWithProof);
        }
        _ => {}
    }
    if let Some(text) = rule.when.methods.iter().find(|method| !is_method(method)) {
        return Err(RuleRefusal::Method { text: text.clone() });
    }
    if rule.fresh.is_some_and(|fresh| !AppBounds::FRESH.contains(&fresh)) {
        return Err(RuleRefusal::Fresh);
    }
    if rule.note.chars().count() > AppBounds::NOTE {
        return Err(RuleRefusal::NoteTooLong { max: AppBounds::NOTE });
    }
    Ok(())
}

fn is_method(method: &str) -> bool {
    (1..=32).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}
