//! Counts every response by method, route and guard, and the reason of every refusal. The request layer counts;
//! `web/ops/metrics.rs` exports the totals.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use super::refusal::RefusalReason;
use latchkey_db::counters::{Counter, Durations};

/// The part of a route-table row that is counted.
pub struct CountedRoute {
    pub path: &'static str,
    pub is_post: bool,
    pub guard: &'static str,
}

pub struct RequestCounts {
    /// Maps the pattern of a route to its one or two rows.
    by_path: HashMap<&'static str, PathCounters>,
    /// The first entry counts requests that match no row.
    rows: Vec<RowCounts>,
    refused: [Counter; RefusalReason::ALL.len()],
}

#[derive(Clone, Copy, Default)]
struct PathCounters {
    get: usize,
    post: usize,
}

struct RowCounts {
    labels: String,
    /// 1xx to 5xx.
    classes: [Counter; 5],
    took: Durations,
}

/// Paths outside the table, open to every visitor.
const OUTSIDE: [&str; 3] = ["/healthz", "/readyz", "/static/{name}"];

/// The entry for requests that match no row.
const OTHER: usize = 0;

impl RowCounts {
    fn new(method: &str, route: &str, guard: &str) -> Self {
        let labels = format!("method=\"{method}\",route=\"{route}\",guard=\"{guard}\"");
        Self { labels, classes: Default::default(), took: Durations::default() }
    }
}

impl RequestCounts {
    pub fn new(routes: impl Iterator<Item = CountedRoute>) -> Self {
        let mut by_path: HashMap<&'static str, PathCounters> = HashMap::new();
        let mut rows = vec![RowCounts::new("other", "other", "none")];
        for CountedRoute { path, is_post, guard } in routes {
            let at = by_path.entry(path).or_default();
            let (row, method) = if is_post { (&mut at.post, "POST") } else { (&mut at.get, "GET") };
            *row = rows.len();
            rows.push(RowCounts::new(method, path, guard));
        }
        for path in OUTSIDE {
            by_path.insert(path, PathCounters { get: rows.len(), post: OTHER });
            rows.push(RowCounts::new("GET", path, "none"));
        }
        Self { by_path, rows, refused: Default::default() }
    }

    /// Counts a response just before it is sent.
    pub fn count(
        &self,
        method: &Method,
        path: Option<&'static str>,
        status: StatusCode,
        refusal: Option<RefusalReason>,
        took: Duration,
    ) {
        let rows = path.and_then(|path| self.by_path.get(path)).copied().unwrap_or_default();
        let row = match *method {
            Method::GET | Method::HEAD => rows.get,
            Method::POST => rows.post,
            _ => OTHER,
        };
        if let Some(row) = self.rows.get(row) {
            let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
            row.classes[class].count();
            row.took.record(took);
        }
        let throttled = (status == StatusCode::TOO_MANY_REQUESTS).then_some(RefusalReason::Throttled);
        if let Some(reason) = refusal.or(throttled) {
            self.refused[reason as usize].count();
        }
    }

    /// The totals: the labels of a row with the status class.
    pub fn write_answers(&self, out: &mut impl fmt::Write, name: &str) -> fmt::Result {
        for row in &self.rows {
            for (class, count) in row.classes.iter().enumerate().filter(|(_, count)| count.get() > 0) {
                writeln!(out, "{name}{{{},status=\"{}xx\"}} {}", row.labels, class + 1, count.get())?;
            }
        }
        Ok(())
    }

    /// Response times.
    pub fn write_durations(&self, out: &mut String, name: &str) -> fmt::Result {
        let mut asked = self.rows.iter().filter(|row| row.took.count() > 0);
        asked.try_for_each(|row| row.took.write(out, name, &row.labels))
    }

    /// Refusals by reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        RefusalReason::ALL.into_iter().map(RefusalReason::as_str).zip(&self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(asked: &[(Method, Option<&'static str>)]) -> String {
        let row = |path, is_post| CountedRoute { path, is_post, guard: "visitor" };
        let table = [row("/login", false), row("/login", true), row("/home", false)];
        let requests = RequestCounts::new(table.into_iter());
        for (method, path) in asked {
            requests.count(method, *path, StatusCode::OK, None, Duration::from_micros(1));
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
    fn requests_that_match_no_row_are_counted_as_other() {
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
