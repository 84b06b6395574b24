//! Counts every answer: by method and route of the table, its guard, and why somebody was turned away. `web/http/request_layer.rs`
//! counts, `web/ops/metrics.rs` writes it down.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use crate::web::http::error::Error;
use crate::web::routes;
use crate::web::session::guard::Kind;
use latchkey_db::counters::{Counter, Durations};

pub struct Requests {
    /// The pattern of a route to the places of its two rows.
    places: HashMap<&'static str, Rows>,
    /// The first is for what has no row.
    rows: Vec<Row>,
    refused: [Counter; REFUSALS.len()],
}

#[derive(Clone, Copy, Default)]
struct Rows {
    get: usize,
    post: usize,
}

struct Row {
    labels: String,
    /// 1xx to 5xx.
    classes: [Counter; 5],
    took: Durations,
}

/// Outside the table, and open to everybody.
const MORE: [&str; 3] = ["/healthz", "/readyz", "/static/{name}"];

/// What has no row, by its method or at all.
const OTHER: usize = 0;

const REFUSALS: [&str; 7] =
    ["log-in", "confirm", "forbidden", "foreign-form", "cross-site", "throttled", "fault"];

impl Row {
    fn new(method: &str, route: &str, guard: &str) -> Self {
        let labels = format!("method=\"{method}\",route=\"{route}\",guard=\"{guard}\"");
        Self { labels, classes: Default::default(), took: Durations::default() }
    }
}

impl Default for Requests {
    fn default() -> Self {
        let mut places: HashMap<&'static str, Rows> = HashMap::new();
        let mut rows = vec![Row::new("other", "other", "none")];
        for row in routes::table().into_iter().chain(routes::local_table()) {
            let at = places.entry(row.path).or_default();
            let (place, method) = match row.method {
                routes::Method::Get => (&mut at.get, "GET"),
                routes::Method::Post => (&mut at.post, "POST"),
            };
            *place = rows.len();
            rows.push(Row::new(method, row.path, word(row.guard)));
        }
        for path in MORE {
            places.insert(path, Rows { get: rows.len(), post: OTHER });
            rows.push(Row::new("GET", path, "none"));
        }
        Self { places, rows, refused: Default::default() }
    }
}

fn word(guard: Kind) -> &'static str {
    match guard {
        Kind::Visitor => "visitor",
        Kind::SignedIn => "signed-in",
        Kind::Confirmed => "confirmed",
        Kind::Admin => "admin",
        Kind::Pending => "pending",
    }
}

impl Requests {
    /// Counts an answer that is about to go out.
    pub fn count(
        &self,
        method: &Method,
        pattern: Option<&str>,
        status: StatusCode,
        error: Option<&Error>,
        took: Duration,
    ) {
        let rows = pattern.and_then(|pattern| self.places.get(pattern)).copied().unwrap_or_default();
        let place = match *method {
            Method::GET | Method::HEAD => rows.get,
            Method::POST => rows.post,
            _ => OTHER,
        };
        if let Some(row) = self.rows.get(place) {
            let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
            row.classes[class].count();
            row.took.record(took);
        }
        if let Some(refused) = refusal(status, error) {
            self.refused[refused].count();
        }
    }

    /// Answers so far: the labels of a row with the class of the status.
    pub fn write_answers(&self, out: &mut impl fmt::Write, name: &str) -> fmt::Result {
        for row in &self.rows {
            for (class, count) in row.classes.iter().enumerate().filter(|(_, count)| count.get() > 0) {
                writeln!(out, "{name}{{{},status=\"{}xx\"}} {}", row.labels, class + 1, count.get())?;
            }
        }
        Ok(())
    }

    /// How long they took.
    pub fn write_times(&self, out: &mut String, name: &str) -> fmt::Result {
        let mut asked = self.rows.iter().filter(|row| row.took.count() > 0);
        asked.try_for_each(|row| row.took.write(out, name, &row.labels))
    }

    /// Why somebody was turned away, and how often.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        REFUSALS.into_iter().zip(&self.refused)
    }
}

/// Its place among [`REFUSALS`].
fn refusal(status: StatusCode, error: Option<&Error>) -> Option<usize> {
    Some(match error {
        Some(Error::LogIn { .. }) => 0,
        Some(Error::Confirm { .. }) => 1,
        Some(Error::Forbidden) => 2,
        Some(Error::ForeignForm | Error::NoCookies) => 3,
        Some(Error::CrossSite) => 4,
        _ if status == StatusCode::TOO_MANY_REQUESTS => 5,
        Some(Error::Fault(_)) => 6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(asked: &[(Method, Option<&str>)]) -> String {
        let requests = Requests::default();
        for (method, pattern) in asked {
            requests.count(method, *pattern, StatusCode::OK, None, Duration::from_micros(1));
        }
        let mut out = String::new();
        requests.write_answers(&mut out, "n").unwrap();
        out
    }

    #[test]
    fn a_row_is_a_method_and_a_route_and_head_is_a_get() {
        let asked =
            [(Method::GET, Some("/login")), (Method::HEAD, Some("/login")), (Method::POST, Some("/login"))];
        let all = answers(&asked);
        assert!(
            all.contains("n{method=\"GET\",route=\"/login\",guard=\"visitor\",status=\"2xx\"} 2\n"),
            "{all}"
        );
        assert!(
            all.contains("n{method=\"POST\",route=\"/login\",guard=\"visitor\",status=\"2xx\"} 1\n"),
            "{all}"
        );
    }

    #[test]
    fn what_has_no_row_is_other_whatever_it_is() {
        let asked = [
            (Method::GET, None),
            (Method::GET, Some("/nowhere")),
            (Method::POST, Some("/home")),
            (Method::DELETE, Some("/login")),
            (Method::POST, Some("/healthz")),
            (Method::from_bytes(b"MADE-UP").unwrap(), Some("/home")),
        ];
        assert_eq!(answers(&asked), "n{method=\"other\",route=\"other\",guard=\"none\",status=\"2xx\"} 6\n");
    }
}
