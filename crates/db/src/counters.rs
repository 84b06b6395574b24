//! Metrics without locks: counters and histograms of durations. Each component keeps its own; the application exports
//! them to Prometheus.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
///
/// ```
/// use latchkey_db::counters::Counter;
///
/// let hits = Counter::default();
/// hits.count();
/// assert_eq!(hits.get(), 1);
/// ```
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets in microseconds: from a page served from memory to a request that timed out.
const BOUNDS: [u64; 12] =
    [100, 250, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// A histogram of durations.
#[derive(Default)]
pub struct Durations {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Durations {
    /// Adds one duration.
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Appends the histogram `name` in seconds, in Prometheus' text format; `labels` without braces.
    ///
    /// # Errors
    /// Those of writing to `out`.
    pub fn write(&self, out: &mut String, name: &str, labels: &str) -> fmt::Result {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            total += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS.get(at).map_or("+Inf".to_owned(), |bound| seconds(*bound));
            writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}")?;
        }
        let sum = seconds(self.micros.load(Ordering::Relaxed));
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(out, "{name}_sum{braces} {sum}\n{name}_count{braces} {total}")
    }
}

fn seconds(micros: u64) -> String {
    format!("{}", micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_a_histogram_that_adds_up() {
        let took = Durations::default();
        for micros in [50, 100, 3_000, 60_000_000] {
            took.record(Duration::from_micros(micros));
        }
        let mut out = String::new();
        took.write(&mut out, "x_seconds", "route=\"/\"").unwrap();
        assert!(out.contains("x_seconds_bucket{route=\"/\",le=\"0.0001\"} 2\n"), "{out}");
        assert!(out.contains("x_seconds_bucket{route=\"/\",le=\"0.005\"} 3\n"), "{out}");
        assert!(out.contains("x_seconds_bucket{route=\"/\",le=\"+Inf\"} 4\n"), "{out}");
        assert!(
            out.ends_with("x_seconds_sum{route=\"/\"} 60.00315\nx_seconds_count{route=\"/\"} 4\n"),
            "{out}"
        );
    }
}
