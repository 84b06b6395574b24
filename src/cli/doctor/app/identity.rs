//! Whether a client can tell the app who it is.

use percent_encoding::percent_decode_str;

use super::advice::ConfigPart;
use super::asking::{KnownApp, Unanswered};
use crate::cli::doctor::finding::{Finding, ok, problem};
use crate::cli::doctor::http::RequestSpec;
use crate::web::ops::app_question::{AppObservation, DoctorUser, ECHO, PassedOn, Pretend};

const FORGED: &str = "latchkey-forged";

const UNDECIDED: &str = "requests arrive without the identity of a decision";

/// One way to write a forged identity.
struct Spelling {
    headers: Vec<(String, &'static str)>,
    title_case: bool,
    pretend: Pretend,
}

impl Spelling {
    fn of(names: &[&str]) -> Self {
        let headers = names.iter().map(|name| ((*name).to_owned(), FORGED)).collect();
        Self { headers, title_case: false, pretend: Pretend::Nothing }
    }
}

/// Twelve spellings for the names of this app.
fn spellings([user, email, name, groups]: &[String; 4]) -> [Spelling; 12] {
    [
        Spelling::of(&[user]),
        Spelling { title_case: true, ..Spelling::of(&[user, groups]) },
        Spelling::of(&[user, user]),
        Spelling::of(&[&user.replace('-', "_")]),
        Spelling::of(&[&user.replace('-', ".")]),
        Spelling::of(&[groups]),
        Spelling::of(&[&groups.replace('-', "_"), &groups.replace('-', ".")]),
        Spelling::of(&[email]),
        Spelling::of(&[name]),
        Spelling::of(&["x-forwarded-user", "x-forwarded-groups", "x-forwarded-email"]),
        Spelling::of(&[&format!("http_{}", user.replace('-', "_"))]),
        // A user without groups has an empty header, which must not let the client's through.
        Spelling { pretend: Pretend::NoGroups, ..Spelling::of(&[groups]) },
    ]
}

pub fn forged(app: &KnownApp) -> Finding {
    let check = "app.identity";
    let names = &app.first.app.header_names;
    let spellings = spellings(names);
    let count = spellings.len();
    for spelling in spellings {
        let sent: Vec<(&str, &str)> =
            spelling.headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let written = sent.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let spec = RequestSpec { title_case: spelling.title_case, ..RequestSpec::get(ECHO, &sent) };
        let (question, response) = match app.site.send_question(spec, spelling.pretend) {
            Ok(answered) => answered,
            Err(unanswered) => return app.unanswered(check, &unanswered, ConfigPart::Identity),
        };
        let seen = app.site.observed(&question, &response.body);
        if app.is_forwarded() && seen.as_ref().is_some_and(|seen| seen.decision.is_none()) {
            return problem(check, UNDECIDED, app.advice(ConfigPart::Identity, ""));
        }
        match seen.map(|seen| is_ours(&seen, spelling.pretend)) {
            Some(Ok(())) => {}
            Some(Err(wrong)) => {
                return problem(
                    check,
                    format!("with a forged {written}, {wrong}"),
                    app.advice(
                        ConfigPart::Identity,
                        "report this: an app must see no identity but the one that Latchkey sets",
                    ),
                );
            }
            // A proxy that refuses such a request protects the app as well.
            None if refuses_itself(app, response.status) => {}
            None => {
                let why = Unanswered::Other { status: response.status };
                return app.unanswered(check, &why, ConfigPart::Identity);
            }
        }
    }
    // A header that `Connection` names is only for the next hop. This must not remove ours.
    let named = format!("close, {}", names.join(", "));
    match app.ask(ECHO, &[("connection", named.as_str())]) {
        Ok(seen) => match is_ours(&seen, Pretend::Nothing) {
            Ok(()) => ok(
                check,
                format!("{count} spellings of a forged identity do not reach the app, and ours does"),
            ),
            Err(wrong) => problem(
                check,
                format!("with `Connection: {named}`, {wrong}"),
                app.advice(ConfigPart::Identity, "report this"),
            ),
        },
        Err(Unanswered::Other { status }) if refuses_itself(app, status) => {
            ok(check, format!("{count} spellings of a forged identity do not reach the app, and ours does"))
        }
        Err(unanswered) => app.unanswered(check, &unanswered, ConfigPart::Identity),
    }
}

/// Whether the app would receive the doctor's identity, once, and nothing of a forged one.
fn is_ours(seen: &AppObservation, pretend: Pretend) -> Result<(), String> {
    let PassedOn::Request { headers, .. } = &seen.passed_on else {
        // app.upstream says why.
        return Ok(());
    };
    let is_read = |name: &str| seen.app.is_proxied || is_alias(name, &seen.app.header_names);
    if let Some((name, _)) = headers.iter().find(|(name, value)| value.contains(FORGED) && is_read(name)) {
        return Err(format!("the app receives it in {name}"));
    }
    let groups = if pretend == Pretend::NoGroups { &[][..] } else { &DoctorUser::GROUPS[..] };
    let user = if seen.app.user_is_email { DoctorUser::EMAIL } else { DoctorUser::ID };
    let [user_header, email_header, name_header, groups_header] = &seen.app.header_names;
    for (header, expected) in
        [(user_header, user), (email_header, DoctorUser::EMAIL), (name_header, DoctorUser::NAME)]
    {
        let [value] = values(headers, header)[..] else { return Err(format!("{header} is not there once")) };
        if decoded(value) != expected {
            return Err(format!("{header} is {value:?}"));
        }
    }
    let value = match values(headers, groups_header)[..] {
        [value] => value,
        // Some proxies leave an empty header out, which says the same.
        [] if groups.is_empty() && !seen.app.is_proxied => "",
        _ => return Err(format!("{groups_header} is not there once")),
    };
    let listed: Vec<String> = value.split(',').filter(|group| !group.is_empty()).map(decoded).collect();
    if listed != groups {
        return Err(format!("{groups_header} is {value:?}"));
    }
    Ok(())
}

/// Whether an app may read this header as one with the identity. Many servers, for example those with CGI variables, do
/// not tell `-` from other signs. In forward-auth mode, headers of other names are the client's.
fn is_alias(name: &str, ours: &[String; 4]) -> bool {
    let plain: String =
        name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
    ours.iter().any(|own| own.eq_ignore_ascii_case(&plain))
}

/// Whether the status is one with which a proxy refuses a request without asking. The decision never answers 400.
fn refuses_itself(app: &KnownApp, status: u16) -> bool {
    if app.is_forwarded() { status == 400 } else { (400..500).contains(&status) }
}

fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
