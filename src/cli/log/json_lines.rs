//! One JSON object per line, in the layout of `tracing_subscriber`'s JSON format: timestamp, level, the fields of the event,
//! and the current span. Each request writes such a line, so it is written without building and parsing values on the way.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Display, Write};
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

thread_local! {
    /// The memory of a line, used for one line after the other.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

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
        let mut line = LINE.take();
        line.clear();
        line.push_str("{\"timestamp\":\"");
        push_time(&mut line, SystemTime::now());
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push('"');
        event.record(&mut Members { line: &mut line, has_one: true });
        let current = event.parent().and_then(|id| ctx.span(id)).or_else(|| ctx.lookup_current());
        if let Some(span) = current {
            line.push_str(",\"span\":{");
            if let Some(fields) =
                span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty())
            {
                line.push_str(fields);
                line.push(',');
            }
            line.push_str("\"name\":");
            push_text(&mut line, span.metadata().name());
            line.push('}');
        }
        line.push_str("}\n");
        let written = writer.write_str(&line);
        LINE.set(line);
        written
    }
}

impl<'writer> FormatFields<'writer> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = String::new();
        fields.record(&mut Members { line: &mut line, has_one: false });
        writer.write_str(&line)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let has_one = !current.fields.is_empty();
        fields.record(&mut Members { line: &mut current.fields, has_one });
        Ok(())
    }
}

/// Writes fields as members of an object.
struct Members<'a> {
    line: &'a mut String,
    /// Whether a member precedes the next one.
    has_one: bool,
}

impl Members<'_> {
    /// Writes the name, and returns the line for the value.
    fn member(&mut self, field: &Field) -> &mut String {
        if std::mem::replace(&mut self.has_one, true) {
            self.line.push(',');
        }
        // Names of fields that are Rust keywords begin with `r#`.
        let name = field.name();
        push_text(self.line, name.strip_prefix("r#").unwrap_or(name));
        self.line.push(':');
        self.line
    }

    /// A number or a truth value.
    fn plain(&mut self, field: &Field, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.member(field), "{value}");
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows neither infinity nor NaN.
        match value.is_finite() {
            true => self.plain(field, value),
            false => self.plain(field, "null"),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        push_text(self.member(field), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let line = self.member(field);
        line.push('"');
        let _ = write!(Escaped(line), "{value:?}");
        line.push('"');
    }
}

/// A string in JSON (RFC 8259 §7).
fn push_text(line: &mut String, text: &str) {
    line.push('"');
    push_escaped(line, text);
    line.push('"');
}

/// The inside of a string in JSON.
fn push_escaped(line: &mut String, text: &str) {
    // Every byte of a longer UTF-8 sequence is above these.
    let is_escaped = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    // Most texts have none. Examining all bytes takes less time than stopping at the first.
    if !text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        return line.push_str(text);
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_escaped) {
        line.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            // Writing to a string does not fail.
            control => drop(write!(line, "\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
}

/// Escapes what is written.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// RFC 3339 in UTC, with microseconds.
fn push_time(line: &mut String, now: SystemTime) {
    thread_local! {
        /// The last second that was written, and its text: most lines repeat it.
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() {
            let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].");
            let time =
                i64::try_from(now.as_secs()).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
            *text = time.and_then(|time| time.format(seconds).ok()).unwrap_or_default();
            *second = now.as_secs();
        }
        line.push_str(text);
    });
    let _ = write!(line, "{:06}Z", now.subsec_micros());
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
            push_time(&mut text, UNIX_EPOCH + at);
            text
        };
        assert_eq!(time(Duration::from_micros(1_764_518_964_081_702)), "2025-11-30T16:09:24.081702Z");
        assert_eq!(time(Duration::from_micros(1_764_518_964_000_009)), "2025-11-30T16:09:24.000009Z");
        assert_eq!(time(Duration::ZERO), "1970-01-01T00:00:00.000000Z");
    }
}
