//! The minimum rate at which a client must send the body of a request, while the upstream waits for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::AppBounds;

/// How long a client was waited for, less the time that its bytes pay for at the least rate. A client that sends
/// nothing and one that sends a byte now and then reach the same limit; time in which the upstream is slow does not
/// count.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientPace {
    owed: Duration,
    waiting_since: Option<Instant>,
}

impl ClientPace {
    /// The wait for the client begins, unless it has begun already.
    pub fn waits(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// The client has sent this many bytes.
    pub fn moved(&mut self, bytes: u64, now: Instant) {
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        let paid = Duration::from_micros(bytes.saturating_mul(1_000_000) / AppBounds::LEAST_RATE);
        self.owed = (self.owed + waited).saturating_sub(paid);
    }

    /// How long to wait for the client at most, from the moment at which the wait began.
    pub fn patience(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// How many seconds a client survives that sends `bytes` after each pause of `every`.
    fn survives(bytes: u64, every: Duration) -> Option<u64> {
        let begun = Instant::now();
        let (mut now, mut pace) = (begun, ClientPace::default());
        for _ in 0..10_000 {
            pace.waits(now);
            if pace.patience(LIMIT) < every {
                return Some((now + pace.patience(LIMIT) - begun).as_secs());
            }
            now += every;
            pace.moved(bytes, now);
        }
        None
    }

    #[test]
    fn a_byte_now_and_then_renews_nothing_and_a_slow_client_may_take_for_ever() {
        assert_eq!(survives(0, Duration::from_secs(61)), Some(60));
        assert_eq!(survives(1, Duration::from_secs(1)), Some(60));
        assert_eq!(survives(120, Duration::from_secs(1)), Some(119), "half of each wait is paid");
        assert_eq!(survives(AppBounds::LEAST_RATE, Duration::from_secs(1)), None);
        assert_eq!(survives(AppBounds::LEAST_RATE * 50, Duration::from_secs(50)), None, "in bursts");
    }

    #[test]
    fn bytes_beyond_the_least_rate_pay_for_no_later_silence() {
        let mut pace = ClientPace::default();
        pace.moved(1 << 30, Instant::now());
        pace.waits(Instant::now());
        assert_eq!(pace.patience(LIMIT), LIMIT);
    }
}
