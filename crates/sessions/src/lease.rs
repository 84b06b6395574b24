//! How long the cache may be trusted, and the database's time during that period.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use latchkey_db::time::Moment;

/// How long the cache may be trusted after the last successful ping.
pub(crate) const LEASE: Duration = Duration::from_millis(500);

/// The clocks of two machines drift apart by less than this within a lease.
const DRIFT: Duration = Duration::from_millis(25);

/// After this time every lease that was not renewed has expired, on every machine.
pub(crate) const MAX_LEASE: Duration = LEASE.saturating_add(DRIFT);

/// A moment of this machine's boot-time clock, in microseconds. The clock never jumps, and it keeps running while the
/// machine sleeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootInstant(i64);

impl BootInstant {
    pub(crate) fn now() -> Self {
        // Every supported kernel has this clock. A clock that stands still would never end a lease, so without the
        // clock no lease is granted.
        clock_gettime(CLOCK)
            .map_or(Self(i64::MAX), |time| Self(time.tv_sec() * 1_000_000 + time.tv_nsec() / 1000))
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time from this until `later`; zero if `later` is earlier.
    pub(crate) fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// Written by the invalidation listener, read by every lookup.
pub(crate) struct Lease {
    until: AtomicI64,
    /// What to add to a [`BootInstant`] to get the database's time.
    ahead: AtomicI64,
}

impl Lease {
    pub(crate) fn none() -> Self {
        Self { until: AtomicI64::new(i64::MIN), ahead: AtomicI64::new(0) }
    }

    /// The database's time, if the cache may be trusted.
    pub(crate) fn now(&self) -> Option<Moment> {
        let instant = BootInstant::now();
        // Acquire: a thread that sees the lease sees the cache as the listener left it when it granted the lease.
        let trusted = instant.0 < self.until.load(Ordering::Acquire);
        trusted.then(|| Moment(instant.0.saturating_add(self.ahead.load(Ordering::Relaxed))))
    }

    /// Extends the lease after a ping that was sent at `asked` and returned the database's time `moment`. The lease
    /// counts from when the ping was sent, because the answer may have been true only then.
    pub(crate) fn extend(&self, asked: BootInstant, moment: Moment) {
        if asked == BootInstant(i64::MAX) {
            return self.end();
        }
        self.ahead.store(moment.0.saturating_sub(asked.0), Ordering::Relaxed);
        self.until.store(asked.plus(LEASE).0, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.until.store(i64::MIN, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_when_the_ping_was_sent_and_expires() {
        let lease = Lease::none();
        assert!(lease.now().is_none());
        let asked = BootInstant::now();
        lease.extend(asked, Moment(7_000_000));
        let now = lease.now().unwrap();
        assert!(now >= Moment(7_000_000) && now < Moment(8_000_000));
        lease.extend(BootInstant(asked.0 - 500_000), Moment(7_000_000));
        assert!(lease.now().is_none(), "half a second after the ping it has expired");
        lease.extend(BootInstant::now(), Moment(0));
        lease.end();
        assert!(lease.now().is_none());
    }

    #[test]
    fn a_clock_that_cannot_be_read_grants_nothing() {
        let lease = Lease::none();
        lease.extend(BootInstant::now(), Moment(0));
        lease.extend(BootInstant(i64::MAX), Moment(0));
        assert!(lease.now().is_none());
    }
}
