//! Which refusals were recorded within the last hour. Bounded in memory and in the number of events that wait to be
//! written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::apps::ids::AppId;
use crate::db::time::Moment;
use crate::identity::UserId;

/// A user who reloads a refused page is recorded only once within this time.
const EVERY: Duration = Duration::from_secs(3600);

/// How many users and apps are remembered. When that many were refused within an hour, further ones are not recorded.
const REMEMBERED: usize = 10_000;

/// How many events may wait to be written.
const WAITING: usize = 16;

#[derive(Default)]
pub(super) struct RecentRefusals(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    last: HashMap<(UserId, AppId), Moment>,
    waiting: usize,
}

impl RecentRefusals {
    /// Whether to record this refusal.
    pub(super) fn begin(&self, user: UserId, app: AppId, now: Moment) -> bool {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.last.get(&(user, app)).is_some_and(|last| now.since(*last) < EVERY) {
            return false;
        }
        if remembered.last.len() >= REMEMBERED {
            remembered.last.retain(|_, last| now.since(*last) < EVERY);
        }
        if remembered.waiting >= WAITING || remembered.last.len() >= REMEMBERED {
            return false;
        }
        remembered.waiting += 1;
        remembered.last.insert((user, app), now);
        true
    }

    pub(super) fn end(&self) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.waiting = remembered.waiting.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    #[test]
    fn a_user_and_an_app_are_recorded_once_an_hour() {
        let refusals = RecentRefusals::default();
        let (ada, grace) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let (wiki, shop) = (AppId(Uuid::from_u128(3)), AppId(Uuid::from_u128(4)));
        assert!(refusals.begin(ada, wiki, at(0)));
        assert!(!refusals.begin(ada, wiki, at(3599)));
        assert!(refusals.begin(ada, shop, at(1)) && refusals.begin(grace, wiki, at(1)));
        assert!(refusals.begin(ada, wiki, at(3600)));
    }

    #[test]
    fn both_the_queue_and_the_memory_are_bounded() {
        let refusals = RecentRefusals::default();
        let wiki = AppId(Uuid::from_u128(3));
        let user = |number: usize| UserId(Uuid::from_u128(number as u128));
        let begun = (0..100).filter(|number| refusals.begin(user(*number), wiki, at(0))).count();
        assert_eq!(begun, WAITING);
        (0..WAITING).for_each(|_| refusals.end());
        for number in 100..20_000 {
            if refusals.begin(user(number), wiki, at(0)) {
                refusals.end();
            }
        }
        assert_eq!(refusals.0.lock().unwrap().last.len(), REMEMBERED);
        assert!(refusals.begin(user(30_000), wiki, at(3600)));
    }
}
