//! One JSON object per line, in the layout of `tracing_subscriber`'s JSON format: timestamp, level, the fields of the event,
//! and the current span. Each request writes such a line, so it is written without building and parsing values on the way.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats an event as one line.
pub struct JsonLines;

/// Formats the fields of a span as members of an object, without its braces.
pub struct JsonMembers;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("{\"timestamp\":\"")?;
        write_time(&mut writer, SystemTime::now())?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(event.metadata().level().as_str())?;
        writer.write_char('"')?;
        let mut members = Members { writer: &mut writer, has_one: true, result: Ok(()) };
        event.record(&mut members);
        members.result?;
        let current = event.parent().and_then(|id| ctx.span(id)).or_else(|| ctx.lookup_current());
        if let Some(span) = current {
            writer.write_str(",\"span\":{")?;
            if let Some(fields) =
                span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty())
            {
                writer.write_str(fields)?;
                writer.write_char(',')?;
            }
            writer.write_str("\"name\":")?;
            write_text(&mut writer, span.metadata().name())?;
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

impl<'writer> FormatFields<'writer> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members { writer: &mut writer, has_one: false, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let has_one = !current.fields.is_empty();
        let mut writer = current.as_writer();
        let mut members = Members { writer: &mut writer, has_one, result: Ok(()) };
        fields.record(&mut members);
        members.result
    }
}

/// Writes fields as members of an object.
struct Members<'a, 'writer> {
    writer: &'a mut Writer<'writer>,
    /// Whether a member precedes the next one.
    has_one: bool,
    result: fmt::Result,
}

impl Members<'_, '_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let Self { writer, has_one, result } = self;
        if result.is_err() {
            return;
        }
        let mut written = || {
            if std::mem::replace(has_one, true) {
                writer.write_char(',')?;
            }
            // Names of fields that are Rust keywords begin with `r#`.
            write_text(writer, field.name().trim_start_matches("r#"))?;
            writer.write_char(':')
        };
        *result = written().and_then(|()| value(writer));
    }
}

impl Visit for Members<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows neither infinity nor NaN.
        self.member(field, |writer| match value.is_finite() {
            true => write!(writer, "{value}"),
            false => writer.write_str("null"),
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |writer| writer.write_str(if value { "true" } else { "false" }));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| write_text(writer, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(writer), "{value:?}")?;
            writer.write_char('"')
        });
    }
}

/// A string in JSON (RFC 8259 §7).
fn write_text(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    Escaped(writer).write_str(text)?;
    writer.write_char('"')
}

/// Escapes what is written, for the inside of a string in JSON.
struct Escaped<'a, 'writer>(&'a mut Writer<'writer>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        // Every byte of a longer UTF-8 sequence is above these.
        while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            self.0.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                b'\r' => self.0.write_str("\\r")?,
                b'\t' => self.0.write_str("\\t")?,
                control => write!(self.0, "\\u{control:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

/// RFC 3339 in UTC, with microseconds.
fn write_time(writer: &mut Writer<'_>, now: SystemTime) -> fmt::Result {
    thread_local! {
        /// The last second that was written, and its text: most lines repeat it.
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() {
            let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
            let time =
                i64::try_from(now.as_secs()).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
            *text = time.and_then(|time| time.format(seconds).ok()).unwrap_or_default();
            *second = now.as_secs();
        }
        write!(writer, "{text}.{:06}Z", now.subsec_micros())
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs.
    fn logged(work: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .fmt_fields(JsonMembers)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = String::from_utf8(lines.0.lock().expect("no writer panics").clone()).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    fn parsed(line: &str) -> Value {
        let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let members = value.as_object_mut().expect("an object");
        assert!(members.remove("timestamp").is_some_and(|time| time.as_str().is_some()), "{line}");
        value
    }

    #[test]
    fn a_line_has_the_fields_of_the_event_and_its_span() {
        let lines = logged(|| {
            let span = tracing::info_span!("request", id = "a\"b", trace = tracing::field::Empty, number = 7);
            let _inside = span.enter();
            tracing::info!(method = "GET", status = 200_u16, left = -1, ok = true, ratio = 0.5, "served");
            span.record("trace", "t");
            tracing::warn!(why = %"a\\b\n\u{1}é", maybe = None::<u64>, list = ?[1, 2], nan = f64::NAN, "fault");
        });
        let [served, fault] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            parsed(served),
            json!({"level": "INFO", "message": "served", "method": "GET", "status": 200, "left": -1, "ok": true,
                "ratio": 0.5, "span": {"id": "a\"b", "number": 7, "name": "request"}})
        );
        assert_eq!(
            parsed(fault),
            json!({"level": "WARN", "message": "fault", "why": "a\\b\n\u{1}é", "list": "[1, 2]", "nan": null,
                "span": {"id": "a\"b", "number": 7, "trace": "t", "name": "request"}})
        );
    }

    #[test]
    fn without_a_span_there_is_none() {
        let lines = logged(|| tracing::event!(tracing::Level::INFO, "started"));
        assert_eq!(parsed(&lines[0]), json!({"level": "INFO", "message": "started"}));
    }

    #[test]
    fn times_are_those_of_the_rfc() {
        let time = |at| {
            let mut text = String::new();
            write_time(&mut Writer::new(&mut text), UNIX_EPOCH + at).expect("a string");
            text
        };
        assert_eq!(time(Duration::from_micros(1_764_518_964_081_702)), "2025-11-30T16:09:24.081702Z");
        assert_eq!(time(Duration::from_micros(1_764_518_964_000_009)), "2025-11-30T16:09:24.000009Z");
        assert_eq!(time(Duration::ZERO), "1970-01-01T00:00:00.000000Z");
    }
}
