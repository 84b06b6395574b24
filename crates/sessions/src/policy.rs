//! The lifetimes and limits of sessions.

use std::time::Duration;

/// The clocks and limits of sessions. All are compared with the database's time.
///
/// ```
/// use std::time::Duration;
/// use latchkey_sessions::Policy;
///
/// let policy = Policy { idle: Duration::from_secs(3600), per_principal: 5, ..Policy::default() };
/// assert_eq!(policy.idle(false), Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// A session that is not used ends after this time.
    pub idle: Duration,
    /// A session ends after this time, regardless of use.
    pub absolute: Duration,
    /// [`Policy::idle`] of remembered sessions.
    pub remembered_idle: Duration,
    /// [`Policy::absolute`] of remembered sessions.
    pub remembered_absolute: Duration,
    /// `last_seen_at` of a session is updated at most this often.
    pub touch_every: Duration,
    /// How long ended sessions stay as tombstones before a sweep deletes them.
    pub keep_ended: Duration,
    /// When a principal opens more than this many, the oldest session ends (ASVS 5.0 7.1.2).
    pub per_principal: i64,
    /// Most sessions in memory, and most scoped keys. With 0, every lookup reads the database.
    pub cached: usize,
    /// How often [`Background`](crate::Background) deletes tombstones; `None` for applications that call
    /// [`Store::sweep`](crate::Store::sweep) themselves.
    pub sweep_every: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            idle: day,
            absolute: 7 * day,
            remembered_idle: 30 * day,
            remembered_absolute: 30 * day,
            touch_every: Duration::from_secs(60),
            keep_ended: 30 * day,
            per_principal: 100,
            cached: 100_000,
            sweep_every: Some(Duration::from_secs(3600)),
        }
    }
}

impl Policy {
    /// How long an unused session lives.
    pub fn idle(&self, remember: bool) -> Duration {
        if remember { self.remembered_idle } else { self.idle }
    }

    /// How long a session lives at most; also how long a browser should keep a remembered key.
    pub fn absolute(&self, remember: bool) -> Duration {
        if remember { self.remembered_absolute } else { self.absolute }
    }

    /// How often [`Background`](crate::Background) calls [`Store::flush_touches`](crate::Store::flush_touches).
    pub fn flush_every(&self) -> Duration {
        let soonest = self.idle.min(self.remembered_idle) / 4;
        soonest.clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    /// A use must be noted long before the session would end as unused.
    pub(crate) fn touch_every(&self, remember: bool) -> Duration {
        self.touch_every.min(self.idle(remember) / 4)
    }
}
