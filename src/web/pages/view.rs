//! Rows of users, sessions and events, as templates show them.

mod moments;
mod series;
mod token;

use time::OffsetDateTime;

use crate::audit::{Actor, AuditAction, Event};
use crate::device;
use crate::identity::{LoginMethod, UserId};
use crate::users::UserRow;
use crate::web::copy::audit::{sentence, with_token};
use crate::web::pages::page::Page;
use latchkey_sessions::{Handle, Policy, SessionRecord};

pub use crate::passwords::Strength;
pub use moments::{Ends, When};
pub use series::{Series, grouped};
pub use token::TokenView;

pub struct SessionView {
    pub handle: String,
    pub device: String,
    pub address: String,
    pub logged_in: When,
    pub last_seen: When,
    pub ends: Ends,
    /// `None` if a newer version wrote it.
    pub factor: Option<LoginMethod>,
    pub remember: bool,
    pub current: bool,
    pub person_id: String,
    pub person_name: String,
    pub person_email: String,
    /// The apps that the session has entered, on the user's own page.
    pub apps: Vec<UsedApp>,
}

/// An app, and when it was last used.
#[derive(Clone)]
pub struct UsedApp {
    pub slug: String,
    pub name: String,
    pub last_used: When,
}

impl SessionView {
    pub fn new(record: &SessionRecord, current: Handle, now: OffsetDateTime, policy: &Policy) -> Self {
        let current = record.handle == current;
        // "Last seen" in the row is out of date; the current session is in use now.
        let last_seen = if current { now } else { record.last_seen_at.into() };
        Self {
            handle: record.handle.to_string(),
            device: device::name(&record.login.user_agent),
            address: record.address.to_string(),
            logged_in: When::new(record.created_at, now),
            last_seen: When::new(last_seen, now),
            ends: Ends::of(record, now, policy),
            factor: LoginMethod::parse(&record.login.factor),
            remember: record.remember,
            current,
            person_id: String::new(),
            person_name: String::new(),
            person_email: String::new(),
            apps: Vec::new(),
        }
    }

    pub fn of(mut self, person: Option<&UserRow>) -> Self {
        if let Some(person) = person {
            self.person_id = person.id.to_string();
            self.person_name.clone_from(&person.name);
            self.person_email.clone_from(&person.email);
        }
        self
    }
}

pub struct EventView {
    /// The stored action.
    pub code: &'static str,
    pub when: When,
    pub text: String,
    pub kind: &'static str,
    /// The acting user, shown after the text. Empty if the event is about that user.
    pub by: String,
    /// The browser's IP address and device. Empty if the reader may not see them, or if no browser caused the event.
    pub address: String,
    pub device: String,
    /// For administrators: the acting user and the affected account. No id if the account does not exist (any more).
    pub actor_id: String,
    pub actor_name: String,
    pub person_id: String,
    pub person_name: String,
}

impl EventView {
    /// As the affected user reads it, without the address and device of an administrator.
    pub fn own(event: &Event, now: OffsetDateTime) -> Self {
        let by = match event.by() {
            Actor::Admin(_) => "an administrator",
            Actor::Operator => "the operator",
            Actor::Owner(_) | Actor::Instance | Actor::Unproven => "",
        };
        let (text, kind) = sentence(event);
        // The name of a token is its owner's.
        let text = if by.is_empty() { with_token(text, event) } else { text };
        let shown = by.is_empty() && !event.browser().is_empty() && event.by() != Actor::Instance;
        Self {
            code: event.action.map_or("unknown", AuditAction::as_str),
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

    /// As an administrator reads it: with the actor, the address and the affected account.
    pub fn for_administrators(event: &Event, now: OffsetDateTime) -> Self {
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
            Actor::Unproven => (String::new(), "unknown".to_owned()),
        };
        let has_browser = matches!(event.by(), Actor::Owner(_) | Actor::Admin(_) | Actor::Unproven);
        Self {
            text: with_token(sentence(event).0, event),
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

    /// On the affected user's own page, where the name would be redundant.
    pub fn on_their_page(mut self) -> Self {
        self.person_name.clear();
        self
    }
}

pub struct UserView {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub state: &'static str,
    pub sessions: u64,
    pub registered: When,
    pub last_login: Option<When>,
}

impl UserView {
    pub fn new(person: &UserRow, now: OffsetDateTime) -> Self {
        Self {
            id: person.id.to_string(),
            name: person.name.clone(),
            email: person.email.clone(),
            role: person.role.as_str(),
            state: match person {
                UserRow { disabled: true, .. } => "disabled",
                UserRow { leaving: true, .. } => "leaving",
                _ => "active",
            },
            sessions: u64::try_from(person.sessions).unwrap_or(0),
            registered: When::new(person.created_at, now),
            last_login: person.last_login_at.map(|at| When::new(at, now)),
        }
    }
}

/// The number of rows on one page of a list.
pub const PER_PAGE: i64 = 25;

/// The position in a list. The links keep the search text.
pub struct Pager {
    pub page: u32,
    pub pages: u32,
    pub total: u64,
    path: String,
    q: String,
}

impl Pager {
    /// The page of a list that the query asks for: at least 1, and no further than is worth scanning.
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
