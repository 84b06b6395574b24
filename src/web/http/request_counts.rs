//! Counts every response by method, route and guard, and the reason of every refusal. The request layer counts;
//! `web/ops/metrics.rs` exports the totals.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use super::refusal::RefusalReason;
use latchkey_db::counters::{Counter, Durations};

/// The part of a route-table row that is counted.
pub struct CountedRoute {
    pub path: &'static str,
    pub method: &'static str,
    pub guard: &'static str,
}

pub struct RequestCounts {
    /// Maps the pattern of a route to its rows.
    by_path: HashMap<&'static str, PathCounters>,
    /// The first entry counts requests that match no row.
    rows: Vec<RowCounts>,
    refused: [Counter; RefusalReason::ALL.len()],
}

/// The entry of each method in [`METHODS`]; [`OTHER`] if the path does not have it.
type PathCounters = [usize; METHODS.len()];

/// The methods of rows. HEAD counts as GET.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

struct RowCounts {
    labels: RouteLabels,
    /// In the order of [`CLASSES`].
    classes: [Counter; CLASSES.len()],
    took: Durations,
}

/// The labels of a row: method, route and guard, each with its name.
pub type RouteLabels = [(&'static str, &'static str); 3];

/// The classes of status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Paths outside the table, open to every visitor.
const OUTSIDE: [&str; 3] = ["/healthz", "/readyz", "/static/{name}"];

/// The entry for requests that match no row.
const OTHER: usize = 0;

impl RowCounts {
    fn new(method: &'static str, route: &'static str, guard: &'static str) -> Self {
        let labels = [("method", method), ("route", route), ("guard", guard)];
        Self { labels, classes: Default::default(), took: Durations::default() }
    }
}

impl RequestCounts {
    pub fn new(routes: impl Iterator<Item = CountedRoute>) -> Self {
        let mut by_path: HashMap<&'static str, PathCounters> = HashMap::new();
        let mut rows = vec![RowCounts::new("other", "other", "none")];
        let outside = OUTSIDE.map(|path| CountedRoute { path, method: "GET", guard: "none" });
        for CountedRoute { path, method, guard } in routes.chain(outside) {
            let at = by_path.entry(path).or_default();
            if let Some(row) = METHODS.iter().position(|known| *known == method) {
                at[row] = rows.len();
                rows.push(RowCounts::new(method, path, guard));
            }
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
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        let row = METHODS.iter().position(|known| *known == method).map_or(OTHER, |at| rows[at]);
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

    /// The totals, by the labels of a row and the class of the status. Series without a response are left out.
    pub fn answers(&self) -> impl Iterator<Item = (RouteLabels, &'static str, u64)> {
        let all = self.rows.iter().flat_map(|row| {
            CLASSES.into_iter().zip(&row.classes).map(|(class, count)| (row.labels, class, count.get()))
        });
        all.filter(|(.., count)| *count > 0)
    }

    /// Response times, by the labels of a row.
    pub fn durations(&self) -> impl Iterator<Item = (RouteLabels, &Durations)> {
        let asked = self.rows.iter().filter(|row| row.took.count() > 0);
        asked.map(|row| (row.labels, &row.took))
    }

    /// Refusals by reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RefusalReason::ALL.into_iter().map(RefusalReason::as_str).zip(self.refused.iter().map(Counter::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(asked: &[(Method, Option<&'static str>)]) -> Vec<(RouteLabels, &'static str, u64)> {
        let row = |path, method| CountedRoute { path, method, guard: "visitor" };
        let table = [row("/login", "GET"), row("/login", "POST"), row("/home", "GET")];
        let requests = RequestCounts::new(table.into_iter());
        for (method, path) in asked {
            requests.count(method, *path, StatusCode::OK, None, Duration::from_micros(1));
        }
        requests.answers().collect()
    }

    #[test]
    fn a_row_is_a_method_and_a_route_and_head_is_a_get() {
        let asked =
            [(Method::GET, Some("/login")), (Method::HEAD, Some("/login")), (Method::POST, Some("/login"))];
        let labels = |method| [("method", method), ("route", "/login"), ("guard", "visitor")];
        assert_eq!(answers(&asked), [(labels("GET"), "2xx", 2), (labels("POST"), "2xx", 1)]);
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
        let other = [("method", "other"), ("route", "other"), ("guard", "none")];
        assert_eq!(answers(&asked), [(other, "2xx", 6)]);
    }
}
