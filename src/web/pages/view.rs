//! What templates show: rows of people, sessions and events in words.

mod moments;
mod series;

use time::OffsetDateTime;

use crate::audit::{Act, Actor, Event as AuditEvent};
use crate::device;
use crate::identity::{Factor, UserId};
use crate::login::EndedSession;
use crate::unicode::direction::isolated;
use crate::users::UserRow as Person;
use crate::web::pages::page::Page;
use latchkey_sessions::{Handle, Policy, SessionRecord};

pub use crate::passwords::Strength;
pub use moments::{Ends, When};
pub use series::{Series, grouped};

use moments::exact;

pub struct SessionRow {
    pub handle: String,
    pub device: String,
    pub address: String,
    pub logged_in: When,
    pub last_seen: When,
    pub ends: Ends,
    /// Unknown where a newer version wrote it.
    pub factor: Option<Factor>,
    pub remember: bool,
    pub current: bool,
    pub person_id: String,
    pub person_name: String,
    pub person_email: String,
}

impl SessionRow {
    pub fn new(record: &SessionRecord, current: Handle, now: OffsetDateTime, policy: &Policy) -> Self {
        let current = record.handle == current;
        // Rows say it with some delay; of this one we know.
        let last_seen = if current { now } else { record.last_seen_at.into() };
        Self {
            handle: record.handle.to_string(),
            device: device::name(&record.user_agent),
            address: record.address.to_string(),
            logged_in: When::new(record.created_at, now),
            last_seen: When::new(last_seen, now),
            ends: Ends::of(record, now, policy),
            factor: Factor::parse(&record.factor),
            remember: record.remember,
            current,
            person_id: String::new(),
            person_name: String::new(),
            person_email: String::new(),
        }
    }

    pub fn of(mut self, person: Option<&Person>) -> Self {
        if let Some(person) = person {
            self.person_id = person.id.to_string();
            self.person_name.clone_from(&person.name);
            self.person_email.clone_from(&person.email);
        }
        self
    }
}

pub struct Event {
    /// The stored action.
    pub code: &'static str,
    pub when: When,
    pub text: String,
    pub kind: &'static str,
    /// Who did it, shown after the text. Empty if the user it happened to did it.
    pub by: String,
    /// The browser's IP address and device. Empty if the reader may not know them, or if there was no
    /// browser.
    pub address: String,
    pub device: String,
    /// For administrators: who did it, and to whose account. No id where there is no such account (any more).
    pub actor_id: String,
    pub actor_name: String,
    pub person_id: String,
    pub person_name: String,
}

impl Event {
    /// As the user it happened to reads it, who does not learn where an administrator was.
    pub fn own(event: &AuditEvent, now: OffsetDateTime) -> Self {
        let by = match event.by() {
            Actor::Admin(_) => "an administrator",
            Actor::Operator => "the operator",
            Actor::Owner(_) | Actor::Instance | Actor::Unproven => "",
        };
        let (text, kind) = sentence(event);
        let shown = by.is_empty() && !event.browser().is_empty() && event.by() != Actor::Instance;
        Self {
            code: event.act.map_or("unknown", Act::as_str),
            when: When::new(event.at, now),
            text,
            kind,
            by: by.to_owned(),
            address: if by.is_empty() { event.address.clone() } else { String::new() },
            device: if shown { device::name(event.browser()) } else { String::new() },
            actor_id: String::new(),
            actor_name: String::new(),
            person_id: String::new(),
            person_name: String::new(),
        }
    }

    /// As an administrator reads it: with who did it, from where, and to whose account.
    pub fn of_somebody(event: &AuditEvent, now: OffsetDateTime) -> Self {
        let named = |id: Option<UserId>, name: &Option<String>| match (id, name) {
            (Some(id), Some(name)) => (id.to_string(), name.clone()),
            (Some(_), None) => (String::new(), "a deleted user".to_owned()),
            (None, _) => (String::new(), String::new()),
        };
        let own = Self::own(event, now);
        let (person_id, person_name) = named(event.subject, &event.subject_name);
        let (actor_id, actor_name) = match event.by() {
            Actor::Owner(id) | Actor::Admin(id) => named(Some(id), &event.actor_name),
            Actor::Operator => (String::new(), "the operator".to_owned()),
            Actor::Instance => (String::new(), "Latchkey".to_owned()),
            Actor::Unproven => (String::new(), "not known".to_owned()),
        };
        let has_browser = matches!(event.by(), Actor::Owner(_) | Actor::Admin(_) | Actor::Unproven);
        Self {
            by: if own.by.is_empty() { String::new() } else { actor_name.clone() },
            address: event.address.clone(),
            device: match has_browser && !event.browser().is_empty() {
                true => device::name(event.browser()),
                false => String::new(),
            },
            actor_id,
            actor_name,
            person_id,
            person_name,
            ..own
        }
    }

    /// On the page of the person it happened to, where the name says nothing new.
    pub fn on_their_page(mut self) -> Self {
        self.person_name.clear();
        self
    }
}

/// Which session was ended, as far as the event says it: "The session on Firefox on Linux that began 1 May 2026, …".
fn ended_session(detail: &str) -> String {
    let Some(ended) = EndedSession::read(detail) else { return "A session".to_owned() };
    let began = ended.began().map(|at| format!(" that began {}", exact(at))).unwrap_or_default();
    format!("The session on {}{began}", in_a_sentence(&ended.device))
}

/// The name of a device, within a sentence.
fn in_a_sentence(device: &str) -> &str {
    if device == device::name("") { "an unknown device" } else { device }
}

/// As [`Accounts`](crate::accounts::Accounts) counts them: "3 others", "3 of everybody" or "3".
fn ended_sessions(detail: &str) -> String {
    let (count, whose) = detail.split_once(' ').unwrap_or((detail, ""));
    let sessions = |of: &str| match count {
        "1" => format!("1{of} session was ended"),
        _ => format!("{count}{of} sessions were ended"),
    };
    match whose {
        _ if count.parse::<u64>().is_err() => "Sessions were ended".to_owned(),
        "others" => sessions(" other"),
        "of everybody" => format!("The sessions of all users were ended: {count}"),
        _ => sessions(""),
    }
}

fn sentence(event: &AuditEvent) -> (String, &'static str) {
    let detail = &*event.detail;
    let Some(act) = event.act else { return ("An event that a newer version recorded".into(), "plain") };
    let with = |text: &str| {
        if detail.is_empty() { text.to_owned() } else { format!("{text}: {}", isolated(detail)) }
    };
    match act {
        Act::Registered => ("Registered".into(), "good"),
        Act::LoggedIn => ("Logged in".into(), "good"),
        Act::LogInRefused => (with("Log-in refused"), "bad"),
        Act::LoggedOut => ("Logged out".into(), "plain"),
        Act::Confirmed => match Factor::parse_confirmed(detail) {
            Some(factor) => (format!("Confirmed with {}", factor.in_words()), "plain"),
            None => (with("Confirmed"), "plain"),
        },
        Act::ConfirmRefused if !detail.is_empty() => (with("Confirmation refused"), "bad"),
        Act::ConfirmRefused => ("Wrong password at a confirmation".into(), "bad"),
        Act::PasswordChanged => ("Password changed".into(), "warn"),
        Act::PasswordReset => ("Password set through a reset link".into(), "warn"),
        Act::ResetRequested => (with("Reset link requested"), "warn"),
        Act::PasswordLocked => ("Password locked after too many wrong ones".into(), "bad"),
        Act::PasswordUnlocked => ("Password unlocked".into(), "warn"),
        Act::EmailChangeAsked => ("A change of the e-mail address was begun".into(), "warn"),
        Act::EmailChangeCancelled => {
            ("The requested change of the e-mail address was cancelled".into(), "warn")
        }
        Act::EmailChanged => ("E-mail address changed".into(), "warn"),
        Act::EmailRestored => ("Change of the e-mail address taken back by mail".into(), "warn"),
        Act::SessionDisowned => (
            format!("{} was reported by mail: “this was not me”. Every session ended", ended_session(detail)),
            "bad",
        ),
        Act::NameChanged => ("Name changed".into(), "plain"),
        // The browser that is shown beside it is the one it was ended from.
        Act::SessionRevoked if matches!(event.by(), Actor::Owner(_)) && !event.browser().is_empty() => {
            let from = device::name(event.browser());
            (format!("{} was ended from {}", ended_session(detail), in_a_sentence(&from)), "warn")
        }
        Act::SessionRevoked => (format!("{} was ended", ended_session(detail)), "warn"),
        Act::SessionsRevoked => (ended_sessions(detail), "warn"),
        Act::RoleChanged if !detail.is_empty() => (format!("Role changed to {detail}"), "warn"),
        Act::RoleChanged => ("Role changed".into(), "warn"),
        Act::Disabled => ("Account disabled".into(), "bad"),
        Act::Enabled => ("Account enabled".into(), "good"),
        Act::Invited => (with("Invitation sent"), "plain"),
        Act::InvitationWithdrawn => (with("Invitation withdrawn"), "plain"),
        Act::Imported => ("Moved in from elsewhere".into(), "good"),
        Act::PasswordMovedIn => {
            (with("Your password moved in as well"), if detail.is_empty() { "good" } else { "warn" })
        }
        Act::PasskeyAdded => (with("Passkey added"), "warn"),
        Act::PasskeyRenamed => (with("Passkey renamed"), "plain"),
        Act::PasskeyRemoved => (with("Passkey removed"), "warn"),
        Act::PasskeyStepOn => ("A passkey is required after the password".into(), "good"),
        Act::PasskeyStepOff => ("The password alone logs in: no passkey is required after it".into(), "bad"),
        Act::PasskeyRefused => (with("Passkey refused"), "bad"),
        Act::PasskeyCopied => (with("Passkey refused, there may be a copy of it"), "bad"),
        Act::Exported => ("What is kept about you was downloaded".into(), "warn"),
        Act::DeletionRequested => ("Asked to delete the account".into(), "bad"),
        Act::DeletionCancelled => ("Kept the account by logging in".into(), "good"),
        Act::Deleted => ("Account deleted".into(), "plain"),
        Act::SetUp => ("Became the first administrator".into(), "good"),
        Act::PasswordAccepted => ("Right password at a log-in, second step not yet taken".into(), "plain"),
        Act::SecondFactorRefused => (with("Wrong code at the second step"), "bad"),
        Act::TotpAdded => ("Authenticator app added".into(), "good"),
        Act::TotpRemoved => ("Authenticator app removed".into(), "warn"),
        Act::TotpLocked => ("Authenticator app locked after too many wrong codes".into(), "bad"),
        Act::RecoveryCodesMade => ("New recovery codes made".into(), "warn"),
        Act::RecoveryCodeUsed => (with("Recovery code used"), "warn"),
        Act::FactorDisowned => {
            ("Changes to the ways to log in were taken back by mail, and every session ended".into(), "warn")
        }
        Act::FactorsReset => ("Second factors removed".into(), "bad"),
    }
}

pub struct UserRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub state: &'static str,
    pub sessions: u64,
    pub registered: When,
    pub last_login: Option<When>,
}

impl UserRow {
    pub fn new(person: &Person, now: OffsetDateTime) -> Self {
        Self {
            id: person.id.to_string(),
            name: person.name.clone(),
            email: person.email.clone(),
            role: person.role.as_str(),
            state: match person {
                Person { disabled: true, .. } => "disabled",
                Person { leaving: true, .. } => "leaving",
                _ => "active",
            },
            sessions: u64::try_from(person.sessions).unwrap_or(0),
            registered: When::new(person.created_at, now),
            last_login: person.last_login_at.map(|at| When::new(at, now)),
        }
    }
}

/// Rows of one page of a list.
pub const PER_PAGE: i64 = 25;

/// Where in a list we are. The links keep what was searched for.
pub struct Pager {
    pub page: u32,
    pub pages: u32,
    pub total: u64,
    path: String,
    q: String,
}

impl Pager {
    /// The page of a list that the query asks for: from 1, and never past what is worth scanning.
    pub fn asked(text: &str) -> u32 {
        text.parse().unwrap_or(1).clamp(1, 100_000)
    }

    pub fn offset(page: u32) -> i64 {
        i64::from(page - 1) * PER_PAGE
    }

    pub fn new(page: u32, total: i64, at: &Page, q: &str) -> Self {
        let total = u64::try_from(total).unwrap_or(0);
        let pages = u32::try_from(total.div_ceil(PER_PAGE.unsigned_abs())).unwrap_or(u32::MAX).max(1);
        Self { page, pages, total, path: at.path.clone(), q: q.to_owned() }
    }

    pub fn prev(&self) -> Option<String> {
        (self.page > 1).then(|| self.href(self.page.min(self.pages + 1) - 1))
    }

    pub fn next(&self) -> Option<String> {
        (self.page < self.pages).then(|| self.href(self.page + 1))
    }

    fn href(&self, page: u32) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        query.append_pair("page", &page.to_string());
        format!("{}?{}", self.path, query.finish())
    }
}

#[cfg(test)]
mod tests;
