//! Metrics without locks: counters and histograms of durations. Each component keeps its own; the application exports
//! them to Prometheus.

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

    /// The histogram in seconds.
    pub fn snapshot(&self) -> Histogram {
        let bounds = BOUNDS.iter().map(|micros| seconds(*micros)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        Histogram { buckets: bounds.zip(counts).collect(), sum: seconds(self.micros.load(Ordering::Relaxed)) }
    }
}

/// What a [`Durations`] held at one moment, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The upper bound of each bucket, and the durations in this bucket alone. The last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all durations.
    pub sum: f64,
}

impl Histogram {
    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_histogram_that_adds_up() {
        let took = Durations::default();
        for micros in [50, 100, 3_000, 60_000_000] {
            took.record(Duration::from_micros(micros));
        }
        let histogram = took.snapshot();
        assert_eq!((histogram.count(), took.count(), histogram.sum), (4, 4, 60.00315));
        let filled: Vec<_> = histogram.buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.0001, 2), (0.005, 1), (f64::INFINITY, 1)]);
    }
}
