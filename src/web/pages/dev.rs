//! Local mode only: the mailbox, and a gallery of all form parts in every state.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::config::Origin;
use crate::identity::LoginMethod;
use crate::mail::StoredMail;
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::form::Fields;
use crate::web::http::path::{ById, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{Ends, EventView, PER_PAGE, Pager, Series, SessionView, Strength, When};
use crate::web::session::guard::Visitor;

struct MailRow {
    id: String,
    to: String,
    subject: String,
    sent: When,
}

impl MailRow {
    fn new(kept: &StoredMail) -> Self {
        Self {
            id: kept.id.to_string(),
            to: kept.to.clone(),
            subject: kept.subject.clone(),
            sent: When::new(kept.written, OffsetDateTime::now_utc()),
        }
    }
}

#[derive(Template)]
#[template(path = "dev/mailbox.html")]
struct MailboxPage {
    page: Page,
    mails: Vec<MailRow>,
}

/// Another host name for this machine may belong to a stranger's page that resolves to it (DNS rebinding).
fn here_only(ctx: &RequestContext) -> Result<(), Error> {
    let host =
        ctx.request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match Origin::parse(&format!("http://{host}")) {
        Ok(origin) if origin.is_loopback() => Ok(()),
        _ => Err(Error::NotFound),
    }
}

pub async fn mailbox(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    here_only(&ctx)?;
    let kept = ctx.accounts().mailer().mailbox(ctx.accounts().db()).await?;
    page::ok(&MailboxPage { page: ctx.page(), mails: kept.iter().map(MailRow::new).collect() })
}

#[derive(Template)]
#[template(path = "dev/mailbox/id.html")]
struct MailPage {
    page: Page,
    mail: MailRow,
    links: Vec<String>,
    text: String,
}

pub async fn mail(
    _: Visitor,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
) -> Result<HttpResponse, Error> {
    here_only(&ctx)?;
    let kept = ctx.accounts().mailer().stored_mail(ctx.accounts().db(), id).await?.ok_or(Error::NotFound)?;
    let row = MailRow::new(&kept);
    let text = kept.body.map(|body| body.text).unwrap_or_default();
    let links = text.split_whitespace().filter(|word| word.starts_with("http")).map(str::to_owned).collect();
    page::ok(&MailPage { page: ctx.page(), mail: row, links, text })
}

#[derive(Template)]
#[template(path = "dev/parts.html")]
struct PartsPage {
    page: Page,
    plain: Fields,
    bad: Fields,
    shown: Fields,
    sessions: Vec<SessionView>,
    events: Vec<EventView>,
    series: Series,
    pager: Pager,
    strengths: Vec<Option<Strength>>,
}

pub async fn parts(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let page = ctx.page();
    let pager = Pager::new(3, 7 * PER_PAGE, &page, "ada");
    page::ok(&PartsPage {
        page,
        plain: Fields::default(),
        bad: bad(),
        shown: Fields::showing(vec![(
            "shown_password".into(),
            "a sentence that only I would think of".into(),
        )]),
        sessions: vec![session("This laptop", true), session("A phone", false)],
        events: ["good", "warn", "bad", "plain"].into_iter().map(event).collect(),
        series: Series::new((0..14).map(|n| (format!("Day {n}"), n * n * 7))),
        pager,
        strengths: (0..=4).map(|score| Some(Strength { score })).collect(),
    })
}

fn bad() -> Fields {
    let mut bad = Fields::new(vec![("bad_email".into(), "ada@".into())]);
    bad.refuse("", Phrase::new("no-match", "That email and password don't match."));
    bad.refuse("bad_email", Phrase::new("invalid-email", "Enter an email address, such as ada@example.org."));
    bad.refuse("bad_password", Phrase::new("too-short", "Use at least 15 characters."));
    bad.refuse("bad_optional", Phrase::new("invalid-ip", "Enter an IP address, such as 10.0.0.7."));
    bad.refuse("bad_select", Phrase::new("unknown-choice", "Choose one of the options."));
    bad.refuse("bad_check", Phrase::new("unticked", "Tick this to continue."));
    bad
}

fn ago(minutes: i64) -> When {
    let now = OffsetDateTime::now_utc();
    When::new(now - Duration::minutes(minutes), now)
}

fn session(device: &str, current: bool) -> SessionView {
    SessionView {
        handle: Uuid::nil().to_string(),
        device: device.into(),
        address: "203.0.113.7".into(),
        logged_in: ago(3000),
        last_seen: ago(3),
        ends: ends_in(3000),
        factor: Some(LoginMethod::Password),
        remember: !current,
        current,
        person_id: String::new(),
        person_name: String::new(),
        person_email: String::new(),
        apps: Vec::new(),
    }
}

fn ends_in(minutes: i64) -> Ends {
    let now = OffsetDateTime::now_utc();
    Ends::new(now + Duration::minutes(minutes), now, Some(std::time::Duration::from_secs(86_400)))
}

fn event(kind: &'static str) -> EventView {
    EventView {
        code: kind,
        when: ago(90),
        text: format!("Something {kind} happened"),
        kind,
        by: if kind == "warn" { "an administrator".into() } else { String::new() },
        address: "203.0.113.7".into(),
        device: "Firefox on Linux".into(),
        actor_id: String::new(),
        actor_name: String::new(),
        person_id: String::new(),
        person_name: String::new(),
    }
}
