//! Whether the rules and the app see the URL that the client requested.

use super::advice::ConfigPart;
use super::asking::{KnownApp, Unanswered};
use crate::apps::ProxyKind;
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::web::ops::app_question::{AppObservation, ECHO, PassedOn};

const FORGED: &str = "latchkey-forged";

/// Headers that name another URL, method or client, which some servers believe.
const CLAIMS: [(&str, &str); 10] = [
    ("x-original-url", "/latchkey-forged"),
    ("x-rewrite-url", "/latchkey-forged"),
    ("x-forwarded-uri", "/latchkey-forged"),
    ("x-forwarded-prefix", "/latchkey-forged"),
    ("x-forwarded-host", "latchkey-forged.invalid"),
    ("x-forwarded-server", "latchkey-forged.invalid"),
    ("x-host", "latchkey-forged.invalid"),
    ("forwarded", "host=latchkey-forged.invalid;proto=gopher"),
    ("x-http-method-override", "latchkey-forged"),
    ("x-method-override", "latchkey-forged"),
];

/// A query with what proxies like to change.
const QUERY: &str = "a=1&b=%2F&c=/../x&d=%25&e=%C3%A9&f=+&a=2";

pub fn url(app: &KnownApp) -> Finding {
    let check = "app.url";
    let target = format!("{ECHO}?{QUERY}");
    match app.ask(&target, &[]) {
        Ok(seen) => {
            if let Err(wrong) = is_served(app, &seen, &target) {
                return problem(check, wrong, app.advice(ConfigPart::Url, KEEP));
            }
        }
        Err(unanswered) => return app.unanswered(check, &unanswered, ConfigPart::Url),
    }
    if let Err(found) = forged_claims(app, check, &target) {
        return found;
    }
    if let Err(found) = other_host(app, check, &target) {
        return found;
    }
    let absolute = format!("{}{target}", app.site.origin);
    match app.ask(&absolute, &[]) {
        Ok(seen) => match is_served(app, &seen, &target) {
            Ok(()) if app.is_forwarded() => served_as_asked(app, check, &target),
            Ok(()) => ok(check, "path, query and host arrive as requested, even with forged headers"),
            Err(wrong) => {
                problem(check, format!("in absolute form, {wrong}"), app.advice(ConfigPart::Url, KEEP))
            }
        },
        Err(Unanswered::Other { status }) => ok(
            check,
            format!("path, query and host are those that were asked for; the absolute form gets {}", status),
        ),
        Err(unanswered) => app.unanswered(check, &unanswered, ConfigPart::Url),
    }
}

const KEEP: &str = "let the proxy in front pass method, path, query and `Host` on unchanged";

/// Sends headers that claim another URL.
fn forged_claims(app: &KnownApp, check: &'static str, target: &str) -> Result<(), Finding> {
    let wrong = |claims: &[(&str, &str)]| match app.ask(target, claims) {
        Ok(seen) => is_served(app, &seen, target).err().map(Ok),
        // Some proxies refuse requests with such headers.
        Err(Unanswered::Other { status: 400 }) => None,
        Err(Unanswered::Other { status: 401..500 }) if !app.is_forwarded() => None,
        Err(Unanswered::Other { status }) if app.is_forwarded() => {
            Some(Ok(format!("the decision is about another URL than the one that is served ({status})")))
        }
        Err(unanswered) => Some(Err(unanswered)),
    };
    match wrong(&CLAIMS) {
        None => Ok(()),
        Some(Err(unanswered)) => Err(app.unanswered(check, &unanswered, ConfigPart::Url)),
        Some(Ok(said)) => {
            let culprit = CLAIMS.iter().find(|claim| matches!(wrong(&[**claim]), Some(Ok(_))));
            let named = culprit.map_or("headers", |(name, _)| name);
            let advice = app.advice(ConfigPart::Url, KEEP);
            Err(problem(check, format!("with forged {named}, {said}"), advice))
        }
    }
}

/// In absolute form, the target names the host, and `Host` does not count (RFC 9112 §3.2.2). A proxy that passes `Host`
/// to the decision asks it about another host than the one that it serves.
fn other_host(app: &KnownApp, check: &'static str, target: &str) -> Result<(), Finding> {
    if app.proxy.is_none_or(|proxy| proxy.kind != ProxyKind::Nginx) {
        return Ok(());
    }
    let absolute = format!("{}{target}", app.site.origin);
    match app.ask(&absolute, &[("host", "latchkey-forged.invalid")]) {
        Err(Unanswered::Other { status }) if ASKED_AND_REFUSED.contains(&status) => Err(problem(
            check,
            format!(
                "with a forged `Host`, the decision is about another host than the one that is served ({status})"
            ),
            app.advice(ConfigPart::Url, KEEP),
        )),
        // nginx refuses it itself, or serves and asks about the host of the target.
        _ => Ok(()),
    }
}

/// The statuses of decisions that are not about the doctor's question.
const ASKED_AND_REFUSED: [u16; 4] = [302, 401, 403, 503];

/// The finding if the decision is about the URL that is served: which headers of the client the app receives that some
/// apps believe.
fn served_as_asked(app: &KnownApp, check: &'static str, target: &str) -> Finding {
    let seen = "the decision is about the URL that is served, even with forged headers";
    let Ok(AppObservation { passed_on: PassedOn::Request { headers, .. }, .. }) = app.ask(target, &CLAIMS)
    else {
        return ok(check, seen);
    };
    let passed: Vec<&str> =
        headers.iter().filter(|(_, value)| value.contains(FORGED)).map(|(name, _)| name.as_str()).collect();
    if passed.is_empty() {
        return ok(check, seen);
    }
    note(
        check,
        format!("{seen}; the app receives the client's {}", passed.join(", ")),
        "remove them in the proxy if the app believes one of them",
    )
}

/// Whether `target` arrived, and would reach the app, with our word about host and scheme.
fn is_served(app: &KnownApp, seen: &AppObservation, target: &str) -> Result<(), String> {
    let arrived = &seen.arrived;
    if (arrived.method.as_str(), arrived.target.as_str()) != ("GET", target) {
        return Err(format!("GET {target} arrives as {} {}", arrived.method, arrived.target));
    }
    let PassedOn::Request { method, target: served, headers } = &seen.passed_on else {
        // app.upstream says why.
        return Ok(());
    };
    // Behind a proxy that asks for decisions, the request itself may still be in absolute form.
    let served = served.strip_prefix(&app.site.origin.to_string()).unwrap_or(served);
    if (method.as_str(), served) != ("GET", target) {
        return Err(format!("GET {target} reaches the app as {method} {served}"));
    }
    if app.is_forwarded() {
        return Ok(());
    }
    if let Some((name, value)) = headers.iter().find(|(_, value)| value.contains(FORGED)) {
        return Err(format!("the app receives {name}: {value}"));
    }
    for (name, expected) in [
        ("x-forwarded-host", app.site.origin.authority().as_str()),
        ("x-forwarded-proto", app.site.url.scheme()),
    ] {
        let said: Vec<&str> =
            headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        if said != [expected] {
            return Err(format!("the app receives {name} {said:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// Paths that some servers read in another way.
const RAW: [&str; 5] = ["/a/%2e%2e/b", "//a", "/a%2fb", "/./a", "/%61"];

pub fn raw(app: &KnownApp) -> Finding {
    let check = "app.path";
    // In forward-auth mode, only what is below the echo comes back.
    let below = if app.is_forwarded() { ECHO } else { "/latchkey-doctor" };
    let (mut changed, mut refused) = (Vec::new(), Vec::new());
    for path in RAW.map(|path| format!("{below}{path}")) {
        match app.ask(&path, &[]) {
            Ok(seen) => {
                let arrived = &seen.arrived.target;
                if *arrived != path {
                    changed.push(format!("{path} as {arrived}"));
                }
                if let PassedOn::Request { target, .. } = &seen.passed_on
                    && target != arrived
                {
                    return problem(
                        check,
                        format!("the rules check {arrived}, but {target} reaches the app"),
                        app.advice(
                            ConfigPart::Url,
                            "report this: the rules would decide about another path than the app serves",
                        ),
                    );
                }
            }
            Err(Unanswered::Other { .. }) => refused.push(path),
            Err(unanswered) => return unanswered.finding(check, &app.site),
        }
    }
    match (changed.is_empty(), refused.is_empty()) {
        (true, true) => {
            ok(check, "%2e%2e, // and %2f arrive as they were sent, for the rules and for the app")
        }
        (true, false) => note(
            check,
            format!("a proxy in front refuses {}", refused.join(", ")),
            "the others arrive as they were sent",
        ),
        (false, _) if app.is_forwarded() => note(
            check,
            format!("the proxy cleans paths, for the rules and for the app: {}", changed.join("; ")),
            "",
        ),
        (false, _) => warning(
            check,
            format!("a proxy in front rewrites paths: {}", changed.join("; ")),
            "the rules and the app see the same path, but not the one that the client requested: make it pass on the raw path (`proxy_pass` without a path in nginx)",
        ),
    }
}
