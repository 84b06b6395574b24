//! The facts that the instance reports about the app and about itself.

use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use time::OffsetDateTime;

use super::advice::ConfigPart;
use super::asking::{AppSite, KnownApp, Unanswered};
use super::proxy::{NamedProxy, ProxyTraces, detect};
use crate::cli::doctor::finding::{Finding, note, ok, problem, warning};
use crate::cli::doctor::site::{self, TEST_ADDRESS};
use crate::web::copy::proxy_config::proxy_name;
use crate::web::ops::app_question::{ECHO, REPORT, UpstreamReach};
use crate::web::ops::doctor::FRESH_FOR;

/// Counts the proxies that a decision trusts.
const FRONT_HOPS: &str = "LATCHKEY__FRONT__HOPS";

/// Asks for the first time. All other checks need the answer.
pub fn reach(site: AppSite, named: Option<NamedProxy>) -> Result<KnownApp, Finding> {
    let check = "app.reach";
    match site.ask_with_response(REPORT, &[]) {
        Ok((first, _)) if first.arrived.target != REPORT => Err(problem(
            check,
            format!("a proxy rewrites the path: {REPORT} arrives as {}", first.arrived.target),
            "let it pass paths on unchanged: the app has a host of its own, so nothing has to be added or cut off",
        )),
        Ok((first, _)) if first.app.is_proxied => Ok(KnownApp { site, first: Arc::new(first), proxy: None }),
        Ok((first, response)) => {
            // Without an answer, the other checks say why.
            let decision = site.ask(ECHO, &[]).ok().and_then(|seen| seen.decision);
            let traces = ProxyTraces {
                flavour: decision.as_ref().map(|decision| decision.flavour.as_str()),
                names_server: first.arrived.names_server,
                server: response.header("server").unwrap_or_default(),
                via: response.header("via").unwrap_or_default(),
            };
            let proxy = detect(named, &traces);
            Ok(KnownApp { site, first: Arc::new(first), proxy })
        }
        Err(Unanswered::Other { status: 421 }) => Err(problem(
            check,
            format!("Latchkey answers, but no app has the host {}", site.origin.authority()),
            "`latchkey app list` prints the addresses; `latchkey app add` registers an app",
        )),
        Err(Unanswered::Other { status }) => Err(problem(
            check,
            format!("another server answers ({})", status),
            format!(
                "does the address lead to an instance, and is it exactly an address of the app (`latchkey app list`)? Does the instance have the same secret and version, and do the clocks differ by less than {FRESH_FOR} s? Does a proxy in front remove headers? In forward-auth mode, does /.latchkey/doctor lead to /app/SLUG/doctor of the decision listener?"
            ),
        )),
        Err(failed) => Err(failed.finding(check, &site)),
    }
}

pub fn reached(app: &KnownApp) -> Finding {
    let seen = &app.first.arrived.seen;
    if seen.public != app.site.portal {
        return problem(
            "app.reach",
            format!(
                "an instance answers, but its portal is {}, and {} in these settings",
                seen.public, app.site.portal
            ),
            "run the doctor with the settings of the instance",
        );
    }
    if app.site.origin.is_https() && seen.proto.as_deref() == Some("http") {
        return warning(
            "app.reach",
            "an instance answers, but the proxy reports a request without TLS",
            "terminate TLS at the public proxy",
        );
    }
    if !app.site.origin.is_https() {
        return note("app.reach", "an instance answers, without TLS", "for this machine only");
    }
    ok("app.reach", "an instance answers, over TLS")
}

pub fn route(app: &KnownApp) -> Finding {
    let (facts, slug) = (&app.first.app, app.slug());
    let arrived = &app.first.arrived.host;
    if !facts.enabled {
        return problem(
            "app.route",
            format!("{slug} is disabled: every request gets 403"),
            format!("enable it on /admin/apps/{slug}"),
        );
    }
    if app.is_forwarded() {
        let by =
            app.proxy.map_or_else(|| "another proxy".to_owned(), |proxy| proxy_name(proxy.kind).to_owned());
        return ok("app.route", format!("{} leads to {slug}, through {by}", app.site.origin));
    }
    if !arrived.eq_ignore_ascii_case(&app.site.origin.authority()) {
        return warning(
            "app.route",
            format!(
                "{slug}, but the request for {} arrives as one for {arrived}",
                app.site.origin.authority()
            ),
            "let the proxy in front pass `Host` on unchanged, with its port",
        );
    }
    ok("app.route", format!("{} leads to {slug}", app.site.origin))
}

/// Browsers take names below `localhost` for this machine; other clients ask a resolver, which may not.
pub fn name(app: &KnownApp) -> Finding {
    let host = app.site.origin.host();
    let resolves = (host, 80).to_socket_addrs().is_ok_and(|mut found| found.next().is_some());
    match (resolves, host.ends_with(".localhost")) {
        (true, _) => ok("app.name", format!("{host} resolves on this machine")),
        (false, true) => note(
            "app.name",
            format!("{host} does not resolve on this machine; Chromium, Firefox and curl know it anyway"),
            format!("for other clients, add this line to /etc/hosts: 127.0.0.1 {host}"),
        ),
        // The connection itself was possible a moment ago.
        (false, false) => note("app.name", format!("{host} does not always resolve"), "check its DNS"),
    }
}

pub fn version(app: &KnownApp) -> Finding {
    let (theirs, ours) = (&app.first.arrived.seen.version, env!("CARGO_PKG_VERSION"));
    if theirs == ours {
        return ok("app.version", format!("the instance has version {theirs}"));
    }
    note(
        "app.version",
        format!("the instance has version {theirs}, and this doctor {ours}"),
        "run the doctor of the instance's version",
    )
}

pub fn clock(app: &KnownApp) -> Finding {
    let check = "app.clock";
    let before = OffsetDateTime::now_utc();
    // Behind a broken guard, only the report is answered.
    let target = if app.is_forwarded() { REPORT } else { ECHO };
    let seen = match app.site.ask(target, &[]) {
        Ok(seen) => seen,
        Err(unanswered) => return unanswered.finding(check, &app.site),
    };
    let after = OffsetDateTime::now_utc();
    let millis = |at: OffsetDateTime| at.unix_timestamp_nanos() / 1_000_000;
    let at = i128::from(seen.arrived.at);
    // Between the two, the clocks agree.
    let off = (millis(before) - at).max(at - millis(after)).max(0);
    let text = format!(
        "the clocks of the instance and of this machine differ by at most {off} ms more than the network delay"
    );
    match off {
        0..2_000 => ok(check, text),
        2_000..30_000 => note(check, text, "set both clocks with NTP"),
        _ => warning(check, text, "set both clocks with NTP: questions of the doctor are valid for a minute"),
    }
}

pub fn listener(app: &KnownApp) -> Finding {
    if app.first.app.can_proxy {
        let does = if app.is_forwarded() { "decides" } else { "passes requests on" };
        return ok("app.listener", format!("the instance listens for revocations, so it {does}"));
    }
    problem(
        "app.listener",
        "the instance has no invalidation listener, because its session cache is off: it answers every request for an app with 503",
        "set LATCHKEY__SESSIONS__CACHE=on, and LATCHKEY__SESSIONS__CACHED above 0",
    )
}

pub fn upstream(app: &KnownApp) -> Finding {
    let check = "app.upstream";
    if app.is_forwarded() {
        return ok(check, "the proxy connects to the app, not the instance");
    }
    match &app.first.upstream {
        None => problem(
            check,
            "the app has no upstream: every request gets 502",
            format!("set it: it is shown by `latchkey app show {}`", app.slug()),
        ),
        Some(UpstreamReach { url, failed: Some(why) }) => problem(
            check,
            format!("the instance cannot connect to {url}: {why}"),
            "is the app running, does it listen on an address that the instance can reach, and does a firewall or network policy let the instance through?",
        ),
        Some(UpstreamReach { url, failed: None }) => ok(check, format!("the instance can connect to {url}")),
    }
}

pub fn client_address(app: &KnownApp) -> Finding {
    let check = "app.client-address";
    let asked = app
        .ask(ECHO, &[])
        .and_then(|plain| Ok((plain, app.ask(ECHO, &[("X-Forwarded-For", TEST_ADDRESS)])?)));
    match asked {
        Ok((plain, spoofed)) => {
            let setting = if app.is_forwarded() { FRONT_HOPS } else { site::HOPS };
            let mut found = site::address(check, &plain.arrived.seen, &spoofed.arrived.seen, setting);
            if app.is_forwarded() && !found.advice.is_empty() {
                found.advice = format!("{}; {}", found.advice, app.advice(ConfigPart::Address, ""));
            }
            found
        }
        Err(unanswered) => app.unanswered(check, &unanswered, ConfigPart::Address),
    }
}
