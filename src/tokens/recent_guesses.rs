//! The guesses of the last minute and the networks that have to wait, so that an instance does not query the database
//! again for each of them. The memory is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::db::{Failed, refuse};
use crate::throttle::RetryAfter;
use latchkey_sessions::KeyHash;

/// A program that keeps sending a revoked token is counted once in this time, so that it does not use up the guesses of
/// its network.
const COUNTED_EVERY: Duration = Duration::from_secs(60);

/// The most guesses, and the most networks, in memory. When there are more, all are forgotten and counted again.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(super) struct RecentGuesses(Mutex<GuessMemory>);

#[derive(Default)]
struct GuessMemory {
    counted: HashMap<KeyHash, Instant>,
    blocked_until: HashMap<String, Instant>,
}

impl RecentGuesses {
    /// Whether to count the guess. Refused while the network has to wait.
    pub(super) fn begin(
        &self,
        guess: KeyHash,
        network: &str,
        now: Instant,
    ) -> Result<bool, Failed<RetryAfter>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = remembered.blocked_until.get(network).filter(|until| **until > now) {
            // Rounded up.
            return refuse(RetryAfter(until.duration_since(now).as_secs() + 1));
        }
        if remembered.counted.get(&guess).is_some_and(|at| now.duration_since(*at) < COUNTED_EVERY) {
            return Ok(false);
        }
        if remembered.counted.len() >= REMEMBERED {
            remembered.counted.clear();
        }
        remembered.counted.insert(guess, now);
        Ok(true)
    }

    /// Makes the network wait after the database has refused to count its guess.
    pub(super) fn block(&self, network: String, wait: RetryAfter, now: Instant) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.blocked_until.len() >= REMEMBERED {
            remembered.blocked_until.clear();
        }
        remembered.blocked_until.insert(network, now + Duration::from_secs(wait.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(number: usize) -> KeyHash {
        KeyHash::of_secret(&number.to_string())
    }

    #[test]
    fn the_same_guess_is_counted_once_a_minute() {
        let (guesses, now) = (RecentGuesses::default(), Instant::now());
        assert!(guesses.begin(guess(1), "192.0.2.1", now).unwrap());
        assert!(!guesses.begin(guess(1), "192.0.2.1", now + Duration::from_secs(59)).unwrap());
        assert!(guesses.begin(guess(2), "192.0.2.1", now).unwrap());
        assert!(guesses.begin(guess(1), "192.0.2.1", now + COUNTED_EVERY).unwrap());
    }

    #[test]
    fn a_network_that_has_to_wait_costs_no_query_until_then() {
        let (guesses, now) = (RecentGuesses::default(), Instant::now());
        guesses.block("192.0.2.1".to_owned(), RetryAfter(30), now);
        let soon = guesses.begin(guess(1), "192.0.2.1", now + Duration::from_millis(29_500));
        assert!(matches!(soon, Err(Failed::Refused(RetryAfter(1)))), "{soon:?}");
        assert!(guesses.begin(guess(1), "192.0.2.2", now).unwrap(), "another network");
        assert!(guesses.begin(guess(1), "192.0.2.1", now + Duration::from_secs(31)).is_ok());
    }

    #[test]
    fn the_memory_is_bounded() {
        let (guesses, now) = (RecentGuesses::default(), Instant::now());
        for number in 0..3 * REMEMBERED {
            guesses.begin(guess(number), "192.0.2.1", now).unwrap();
            guesses.block(number.to_string(), RetryAfter(1), now);
        }
        let remembered = guesses.0.lock().unwrap();
        assert!(remembered.counted.len() <= REMEMBERED && remembered.blocked_until.len() <= REMEMBERED);
    }
}
