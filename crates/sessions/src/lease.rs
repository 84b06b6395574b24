//! Until when memory may be trusted, and what time it is at the database meanwhile.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use latchkey_db::time::Moment;

/// How long what was heard may be trusted without hearing more.
pub const LEASE: Duration = Duration::from_millis(500);

/// Clocks of two machines run apart by less than this within a lease.
const DRIFT: Duration = Duration::from_millis(25);

/// After so long every lease that had not heard of something has run out.
pub const RUN_OUT: Duration = LEASE.saturating_add(DRIFT);

/// A time of this machine's own clock, in microseconds. It never jumps, and goes on while the machine sleeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(i64);

impl Tick {
    pub fn now() -> Self {
        // No kernel we run on lacks it; a clock that stood still would never end a lease, so none is granted then.
        clock_gettime(CLOCK)
            .map_or(Self(i64::MAX), |time| Self(time.tv_sec() * 1_000_000 + time.tv_nsec() / 1000))
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long it is until then.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// Written by the keeper, read with every request.
pub struct Lease {
    until: AtomicI64,
    /// What to add to a tick to have the database's time.
    ahead: AtomicI64,
}

impl Lease {
    pub fn none() -> Self {
        Self { until: AtomicI64::new(i64::MIN), ahead: AtomicI64::new(0) }
    }

    /// The database's time, while memory may be trusted.
    pub fn now(&self) -> Option<Moment> {
        let tick = Tick::now();
        // With Acquire, whoever sees a lease sees the cache as the keeper left it when it granted it.
        let trusted = tick.0 < self.until.load(Ordering::Acquire);
        trusted.then(|| Moment(tick.0.saturating_add(self.ahead.load(Ordering::Relaxed))))
    }

    /// What was answered to a question `asked` then is known; the database's clock said `moment`. Counted from
    /// the asking, because what was answered may have been true only then.
    pub fn extend(&self, asked: Tick, moment: Moment) {
        if asked == Tick(i64::MAX) {
            return self.end();
        }
        self.ahead.store(moment.0.saturating_sub(asked.0), Ordering::Relaxed);
        self.until.store(asked.plus(LEASE).0, Ordering::Release);
    }

    pub fn end(&self) {
        self.until.store(i64::MIN, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_runs_from_the_question_and_ends() {
        let lease = Lease::none();
        assert!(lease.now().is_none());
        let asked = Tick::now();
        lease.extend(asked, Moment(7_000_000));
        let now = lease.now().unwrap();
        assert!(now >= Moment(7_000_000) && now < Moment(8_000_000));
        lease.extend(Tick(asked.0 - 500_000), Moment(7_000_000));
        assert!(lease.now().is_none(), "half a second after the question it is over");
        lease.extend(Tick::now(), Moment(0));
        lease.end();
        assert!(lease.now().is_none());
    }

    #[test]
    fn a_clock_that_cannot_be_read_grants_nothing() {
        let lease = Lease::none();
        lease.extend(Tick::now(), Moment(0));
        lease.extend(Tick(i64::MAX), Moment(0));
        assert!(lease.now().is_none());
    }
}
