//! Whether each request is decided on its own, and what the proxy sends to the decision.

use super::advice::ConfigPart;
use super::asking::{KnownApp, Unanswered};
use crate::apps::ProxyKind;
use crate::cli::doctor::finding::{Finding, ok, problem, warning};
use crate::web::ops::app_question::{ECHO, UNLISTED};

const UNDECIDED: &str = "requests arrive without the identity of a decision: either nothing is decided, or the identity is removed (app.identity)";

pub fn asked(app: &KnownApp) -> Finding {
    let check = "app.decision";
    // A query that the decision must not see as its own.
    let target = format!("{ECHO}?once=1");
    let seen = match app.ask(&target, &[(UNLISTED, "1")]) {
        Ok(seen) => seen,
        Err(Unanswered::Undecided) => return problem(check, UNDECIDED, app.advice(ConfigPart::Guard, "")),
        Err(unanswered) => return app.unanswered(check, &unanswered, ConfigPart::Guard),
    };
    let Some(facts) = &seen.decision else {
        return app.unanswered(check, &Unanswered::Undecided, ConfigPart::Guard);
    };
    let proxy = app.proxy.map(|proxy| proxy.kind);
    // Envoy asks with the client's own path and query.
    if facts.has_query && facts.flavour != "envoy" {
        return problem(
            check,
            "the client's query reaches the decision as its own",
            app.advice(ConfigPart::Query, ""),
        );
    }
    if facts.has_unlisted && proxy == Some(ProxyKind::Nginx) {
        return problem(
            check,
            "every header of the client reaches the decision, so a client can break or change the question",
            app.advice(ConfigPart::Headers, ""),
        );
    }
    // These two are told which headers to send.
    if facts.has_unlisted && matches!(proxy, Some(ProxyKind::Haproxy | ProxyKind::Envoy)) {
        return warning(
            check,
            "every header of the client reaches the decision",
            app.advice(ConfigPart::Headers, ""),
        );
    }
    ok(check, format!("each request is decided, at /decide/{}/…", facts.flavour))
}
