//! Checks the settings.

use super::finding::{Finding, note, ok, warning};
use crate::config::Settings;

pub fn look(settings: &Settings) -> Vec<Finding> {
    vec![
        mode(settings),
        secret(settings),
        previous(settings),
        public(settings),
        hops(settings),
        registration(settings),
    ]
}

fn mode(settings: &Settings) -> Finding {
    if settings.is_local() {
        return note(
            "settings.mode",
            "local mode: a private Postgres, for this machine only",
            "to deploy, configure a database (DATABASE_URL, PGHOST or a Choreo connection)",
        );
    }
    ok("settings.mode", "deployed")
}

fn secret(settings: &Settings) -> Finding {
    if settings.secret.looks_typed() {
        return warning(
            "settings.secret",
            "LATCHKEY__SECRET looks like an example, or typed by hand",
            "an attacker who guesses it can forge forms and open sealed values: generate one with `openssl rand -base64 48`, and set the old one as LATCHKEY__SECRET_PREVIOUS",
        );
    }
    ok("settings.secret", "long enough, and not an example")
}

fn previous(settings: &Settings) -> Finding {
    if !settings.secret.has_previous() {
        return ok("settings.previous", "only one secret");
    }
    note(
        "settings.previous",
        "LATCHKEY__SECRET_PREVIOUS is still accepted",
        format!(
            "remove it {} after the change: by then every session has a new cookie or has ended",
            settings.sessions.remembered_absolute
        ),
    )
}

fn public(settings: &Settings) -> Finding {
    let public = &settings.server.public;
    match (public.is_secure(), settings.is_local()) {
        (true, _) => ok("settings.public-url", public.as_str()),
        (false, true) => {
            note("settings.public-url", format!("{}, without TLS", public.as_str()), "for this machine only")
        }
        (false, false) => warning(
            "settings.public-url",
            format!("{}, without TLS, and not in local mode", public.as_str()),
            "set LATCHKEY__SERVER__PUBLIC_URL to the public https:// address: otherwise cookies are not Secure",
        ),
    }
}

fn hops(settings: &Settings) -> Finding {
    match settings.server.trusted_hops {
        0 if settings.server.public.is_secure() => note(
            "settings.hops",
            "LATCHKEY__SERVER__TRUSTED_HOPS is 0, but the server does not speak TLS itself: which proxy does?",
            "count the proxies in front; `latchkey doctor --url` with the public address counts them for you",
        ),
        hops => ok("settings.hops", format!("{hops} proxies are trusted")),
    }
}

fn registration(settings: &Settings) -> Finding {
    let mode = settings.registration.as_str();
    if settings.registration_lacks_mail() {
        return warning(
            "settings.registration",
            format!("{mode}, and there is no mail server: no registration can be completed"),
            "set LATCHKEY__MAIL__SMTP_URL, or LATCHKEY__REGISTRATION=closed",
        );
    }
    ok("settings.registration", mode)
}
