//! Live connections, as pages and event streams show them.

use actix_web::web::Bytes;
use time::OffsetDateTime;
use time::macros::format_description;

use super::copy::live as copy;
use super::run_view::to_the_second;
use crate::lab::{CredentialSet, EndCause, Holder, Lab, Run, Service, StreamRecord};
use crate::web::http::error::Error;
use crate::web::pages::view::When;

/// The live connections of a run.
pub struct LiveView {
    /// The browser's credentials are refused on one side or both.
    pub refused: bool,
    pub disabled: bool,
    /// Newest first.
    pub records: Vec<RecordView>,
}

pub struct RecordView {
    pub side: &'static str,
    pub label: &'static str,
    /// Empty while it is open.
    pub cause: &'static str,
    pub state: String,
    pub lines: u32,
    pub opened: When,
}

impl LiveView {
    pub async fn of(lab: &Lab, run: &Run, browser: &CredentialSet) -> Result<Self, Error> {
        let checked = lab.compare(run, Holder::Browser, Service::Shop, browser).await?;
        let now = OffsetDateTime::from(run.now);
        Ok(Self {
            refused: checked.refuses_browser(),
            disabled: run.disabled_at.is_some(),
            records: lab.streams().of_run(run.id).iter().map(|record| RecordView::new(record, now)).collect(),
        })
    }
}

impl RecordView {
    fn new(record: &StreamRecord, now: OffsetDateTime) -> Self {
        let ending = record.ending();
        Self {
            side: record.side.code(),
            label: copy::side(record.side),
            cause: ending.map_or("", |ending| ending.cause.code()),
            state: ending.map_or_else(|| copy::OPEN.to_owned(), |ending| copy::ended(&ending)),
            lines: record.lines(),
            opened: to_the_second(record.opened, now),
        }
    }
}

/// How the lines of a connection are sent.
pub enum LineFormat {
    /// An event stream, for scripts and `curl`.
    Events,
    /// A page whose list grows.
    Page { before: Bytes, after: Bytes },
}

impl LineFormat {
    pub fn events() -> Self {
        Self::Events
    }

    pub fn page(before: &str, after: &str) -> Self {
        Self::Page {
            before: Bytes::copy_from_slice(before.as_bytes()),
            after: Bytes::copy_from_slice(after.as_bytes()),
        }
    }

    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Page { .. } => "text/html; charset=utf-8",
        }
    }

    pub fn beginning(&self) -> Bytes {
        match self {
            // Browsers reconnect after this many milliseconds, so that the refusal is seen soon.
            Self::Events => Bytes::from_static(b"retry: 1000\n\n"),
            Self::Page { before, .. } => before.clone(),
        }
    }

    pub fn line(&self, number: u32, now: OffsetDateTime) -> Bytes {
        let clock = format_description!("[hour]:[minute]:[second].[subsecond digits:3] UTC");
        let text = copy::line(number, &now.format(clock).unwrap_or_default());
        match self {
            Self::Events => format!("data: {text}\n\n").into(),
            Self::Page { .. } => format!("<li>{text}</li>\n").into(),
        }
    }

    /// The connection is closed cleanly after this line.
    pub fn end(&self, cause: EndCause) -> Bytes {
        match self {
            Self::Events => format!("event: end\ndata: {}\n\n", cause.code()).into(),
            Self::Page { after, .. } => after.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_or_an_item_of_a_list() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let event = LineFormat::events().line(3, now);
        assert_eq!(event, "data: Line 3, sent at 00:00:00.000 UTC\n\n");
        let page = LineFormat::page("<ol>", "</ol>");
        assert_eq!(page.line(3, now), "<li>Line 3, sent at 00:00:00.000 UTC</li>\n");
        assert_eq!((page.beginning(), page.end(EndCause::LifeOver)), ("<ol>".into(), "</ol>".into()));
        assert_eq!(LineFormat::events().end(EndCause::LifeOver), "event: end\ndata: life-over\n\n");
    }
}
