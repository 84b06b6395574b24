//! What the lab's page shows of a run, in words.

use time::OffsetDateTime;
use time::macros::format_description;

use super::cookies::Hands;
use crate::db::time::Moment;
use crate::jwt;
use crate::lab::{self, DenyList, Entry, Exhibit, Finding, Holder, Line, Run, Service, Verdict};
use crate::web::http::shared::LabCookies;
use crate::web::pages::view::When;

pub struct RunView {
    /// How many steps were taken.
    pub step_count: i32,
    pub told: Option<EntryView>,
    pub history: Vec<EntryView>,
    pub findings: Vec<FindingView>,
    pub session: Option<Carried>,
    pub access: Option<Carried>,
    pub refresh: Option<Carried>,
    /// Bytes that each request carries, by side.
    pub session_bytes: usize,
    pub token_bytes: usize,
    pub rows: Vec<RowView>,
    pub tokens: Vec<TokenView>,
    pub remembered: usize,
    /// Your browser, somewhere.
    pub refused: bool,
    pub role: &'static str,
    pub disabled: bool,
    pub algorithm: &'static str,
    pub other_algorithm: &'static str,
    pub deny_list: &'static str,
    pub split: bool,
    pub has_copy: bool,
    pub signing_key: i32,
    pub oldest_key: i32,
    pub ends: When,
}

pub struct EntryView {
    pub step: String,
    pub session: String,
    pub token: String,
    pub when: When,
}

/// One question and its two answers.
pub struct FindingView {
    pub who: String,
    pub session: VerdictView,
    pub token: VerdictView,
}

pub struct VerdictView {
    pub admitted: bool,
    pub role: &'static str,
    pub why: String,
    pub since: Option<When>,
    pub until: Option<When>,
    pub line: Line,
    pub reads: u32,
    pub micros: String,
}

/// A credential, as a cookie carries it.
pub struct Carried {
    pub name: String,
    pub value: String,
    pub bytes: usize,
    /// What anybody who holds it can read in it; nothing of a key.
    pub header: String,
    pub payload: String,
}

pub struct RowView {
    pub key_hash: String,
    pub created: When,
    pub seen: When,
    pub ends: When,
    pub revoked: Option<When>,
}

pub struct TokenView {
    pub id: String,
    pub kind: String,
    pub state: &'static str,
}

impl RunView {
    pub fn new(run: &Run, names: &LabCookies, hands: &Hands, exhibit: Exhibit) -> Self {
        let now = OffsetDateTime::from(run.now);
        let mut history: Vec<EntryView> =
            run.steps.iter().rev().map(|entry| EntryView::new(entry, now)).collect();
        let told = (!history.is_empty()).then(|| history.remove(0));
        let carried =
            |name: &str, value: &Option<String>| value.as_ref().map(|value| Carried::new(name, value));
        let session = carried(&names.session, &hands.held.session);
        let access = carried(&names.access, &hands.held.access);
        let refresh = carried(&names.refresh, &hands.held.refresh);
        let bytes = |carried: &Option<Carried>| carried.as_ref().map_or(0, |carried| carried.bytes);
        Self {
            session_bytes: bytes(&session),
            // The refresh token would be sent to its own address only.
            token_bytes: bytes(&access),
            session,
            access,
            refresh,
            step_count: run.step_count,
            told,
            history,
            refused: exhibit.findings.iter().any(Finding::turns_browser_away),
            findings: exhibit.findings.into_iter().map(|finding| FindingView::new(run, finding)).collect(),
            rows: exhibit.rows.into_iter().map(|row| RowView::new(row, now)).collect(),
            tokens: exhibit.tokens.into_iter().map(TokenView::new).collect(),
            remembered: exhibit.remembered,
            role: run.role.as_str(),
            disabled: run.disabled_at.is_some(),
            algorithm: run.algorithm.name(),
            other_algorithm: match run.algorithm {
                jwt::Algorithm::EdDsa => jwt::Algorithm::Hs256.name(),
                jwt::Algorithm::Hs256 => jwt::Algorithm::EdDsa.name(),
            },
            deny_list: match run.deny_list {
                DenyList::None => "none",
                DenyList::Memory => "in the shop's memory",
                DenyList::Database => "in the database",
            },
            split: run.split,
            has_copy: hands.copy.is_some(),
            signing_key: run.signing_key,
            oldest_key: run.oldest_key,
            ends: When::new(run.expires_at, now),
        }
    }
}

impl EntryView {
    fn new(entry: &Entry, now: OffsetDateTime) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(entry.at).unwrap_or(now);
        Self {
            step: entry.step.clone(),
            session: entry.session.clone(),
            token: entry.token.clone(),
            when: to_the_second(at, now),
        }
    }
}

impl FindingView {
    fn new(run: &Run, finding: Finding) -> Self {
        let holder = match finding.holder {
            Holder::Browser => "Your browser",
            Holder::Thief => "The thief's browser",
        };
        let who = match (run.split, finding.service) {
            (false, _) => holder.to_owned(),
            (true, Service::Shop) => format!("{holder}, at the shop"),
            (true, Service::Desk) => format!("{holder}, at the desk"),
        };
        let now = run.now.into();
        Self {
            who,
            session: VerdictView::new(finding.session, now),
            token: VerdictView::new(finding.token, now),
        }
    }
}

impl VerdictView {
    fn new(verdict: Verdict, now: OffsetDateTime) -> Self {
        let when = |moment: Option<Moment>| moment.map(|moment| to_the_second(moment, now));
        Self {
            admitted: verdict.is_admitted(),
            role: verdict.role.map_or("", lab::Role::as_str),
            why: verdict.why,
            since: when(verdict.since),
            until: when(verdict.until),
            line: verdict.line,
            reads: verdict.reads,
            micros: format!("{:.0}", verdict.took.as_secs_f64() * 1e6),
        }
    }
}

impl Carried {
    fn new(name: &str, value: &str) -> Self {
        let readable = jwt::read(value);
        let (header, payload) =
            readable.map_or_else(Default::default, |readable| (readable.header, readable.payload));
        let bytes = name.len() + "=; ".len() + value.len();
        Self { name: name.to_owned(), value: value.to_owned(), bytes, header, payload }
    }
}

impl RowView {
    fn new(row: lab::SessionRow, now: OffsetDateTime) -> Self {
        let hash: String = row.key_hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            key_hash: hash + "…",
            created: to_the_second(row.created_at, now),
            seen: to_the_second(row.last_seen_at, now),
            ends: to_the_second(row.expires_at, now),
            revoked: row.revoked_at.map(|at| to_the_second(at, now)),
        }
    }
}

impl TokenView {
    fn new(token: lab::TokenRow) -> Self {
        let state = match (token.denied_at, token.used_at) {
            (Some(_), _) => "denied",
            (None, Some(_)) => "used",
            (None, None) => "out",
        };
        Self { id: token.id.chars().take(8).collect::<String>() + "…", kind: token.kind, state }
    }
}

/// As elsewhere, but exact to the second: here that is what one looks for.
fn to_the_second(at: impl Into<OffsetDateTime>, now: OffsetDateTime) -> When {
    let at = at.into();
    let clock =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC");
    When { exact: at.format(clock).unwrap_or_default(), ..When::new(at, now) }
}
