//! Where failures count: unknown browsers have a share of their own, so that strangers cannot use up the owner's
//! attempts (docs/decisions/lock-out.md).

use crate::config::ThrottleLimits;
use crate::secret::{self, TokenHash};
use latchkey_sessions::Handle;

/// Where an attempt at a password comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum AttemptSource {
    /// A browser in which this user has not logged in before.
    UnknownBrowser,
    KnownBrowser(TokenHash),
    /// A live session in a browser that lost its known-device cookie.
    Session(Handle),
}

/// The stored name of [`AttemptSource::UnknownBrowser`].
pub(crate) const UNKNOWN_BROWSER: &str = "outside";

impl AttemptSource {
    /// The name in the database.
    pub fn name(&self) -> String {
        match self {
            Self::UnknownBrowser => UNKNOWN_BROWSER.to_owned(),
            Self::KnownBrowser(hash) => format!("browser:{}", secret::encode(hash)),
            Self::Session(handle) => format!("session:{handle}"),
        }
    }
}

/// Consecutive wrong passwords at one account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FailureCounts {
    /// From all unknown browsers together.
    pub unknown: i32,
    /// From all known browsers and sessions together.
    pub known: i32,
    /// From the source in question.
    pub own: i32,
    /// Whether the user has a known browser to reserve attempts for.
    pub reserves_share: bool,
}

impl FailureCounts {
    /// How many more passwords from `source` are checked. Over all sources they never exceed `disable_at`
    /// (NIST SP 800-63B-4 §3.2.2). Unknown browsers get all of them if there is no known browser.
    pub fn left(&self, source: &AttemptSource, limits: &ThrottleLimits) -> i32 {
        let in_all = limits.disable_at - self.unknown - self.known;
        let of_source = match source {
            AttemptSource::UnknownBrowser => {
                let reserved = if self.reserves_share { limits.known_share } else { 0 };
                limits.disable_at - reserved - self.unknown
            }
            // Each known browser leaves half of the share to the others: a thief may have one of them.
            AttemptSource::KnownBrowser(_) | AttemptSource::Session(_) => {
                (limits.known_share - self.known).min((limits.known_share + 1) / 2 - self.own)
            }
        };
        in_all.min(of_source).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn source(number: usize) -> AttemptSource {
        match number {
            0 => AttemptSource::UnknownBrowser,
            1..4 => AttemptSource::KnownBrowser([u8::try_from(number).unwrap(); 32]),
            _ => AttemptSource::Session(Handle(Uuid::from_u128(number as u128))),
        }
    }

    fn counts(failures: &[i32], number: usize, reserves_share: bool) -> FailureCounts {
        let known = failures[1..].iter().sum();
        FailureCounts { unknown: failures[0], known, own: failures[number], reserves_share }
    }

    /// Makes wrong attempts from the sources `numbers` in turn; returns how many were checked for each source.
    fn tried(numbers: &[usize], reserves_share: impl Fn(usize) -> bool) -> [i32; 8] {
        let limits = ThrottleLimits::default();
        let mut failures = [0; 8];
        for (at, number) in numbers.iter().enumerate() {
            if counts(&failures, *number, reserves_share(at)).left(&source(*number), &limits) > 0 {
                failures[*number] += 1;
            }
        }
        failures
    }

    #[test]
    fn unknown_browsers_have_eighty_attempts_and_each_known_one_has_ten() {
        assert_eq!(tried(&[0; 300], |_| true), [80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(tried(&[0; 300], |_| false)[0], 100);
        let then_known = [vec![0; 300], vec![1; 300], vec![2; 300], vec![3; 300]].concat();
        assert_eq!(tried(&then_known, |_| true), [80, 10, 10, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_order_of_attempts_gets_more_than_a_hundred_checked(
            numbers in proptest::collection::vec(0usize..8, 0..600),
            begins in 0usize..600,
        ) {
            let failures = tried(&numbers, |at| at >= begins);
            prop_assert!(failures.iter().sum::<i32>() <= 100, "{failures:?}");
            prop_assert!(failures[1..].iter().all(|count| *count <= 10), "{failures:?}");
            prop_assert!(failures[1..].iter().sum::<i32>() <= 20, "{failures:?}");
        }

        #[test]
        fn a_known_browser_has_its_ten_attempts_after_any_number_from_strangers(
            strangers in 0usize..600,
        ) {
            let failures = tried(&[vec![0; strangers], vec![1; 20]].concat(), |_| true);
            prop_assert_eq!(failures[1], 10);
        }
    }
}
