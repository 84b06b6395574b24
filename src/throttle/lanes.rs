//! Lanes: where wrong passwords count, so that strangers use up a share of their own and never the owner's
//! (docs/decisions/lock-out.md). Used by the throttle.

use crate::config::ThrottleLimits;
use crate::secret::{self, TokenHash};
use latchkey_sessions::Handle;

/// Where an attempt at a password comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A browser we have not seen this person log in with.
    Outside,
    Browser(TokenHash),
    /// A live session in a browser that lost its proof.
    Session(Handle),
}

pub(crate) const OUTSIDE: &str = "outside";

impl Lane {
    pub fn name(&self) -> String {
        match self {
            Self::Outside => OUTSIDE.to_owned(),
            Self::Browser(hash) => format!("browser:{}", secret::encode(hash)),
            Self::Session(handle) => format!("session:{handle}"),
        }
    }
}

/// Wrong passwords in a row, as they stand for one person.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub outside: i32,
    /// In all known lanes together.
    pub known: i32,
    /// In the lane that is asked about.
    pub own: i32,
    /// Whether there is a known browser to keep a share for.
    pub keeps_share: bool,
}

impl Standing {
    /// How many more wrong passwords are looked at in this lane. The sum over all lanes never exceeds `disable_at`
    /// (NIST SP 800-63B-4 §3.2.2); outside gets it all only where nobody has a share to keep.
    pub fn left(&self, lane: &Lane, throttle: &ThrottleLimits) -> i32 {
        let in_all = throttle.disable_at - self.outside - self.known;
        let in_lane = match lane {
            Lane::Outside => {
                let kept = if self.keeps_share { throttle.known_share } else { 0 };
                throttle.disable_at - kept - self.outside
            }
            // One known lane leaves half of the share to the others: a thief in one of them, too, is a stranger there.
            Lane::Browser(_) | Lane::Session(_) => {
                (throttle.known_share - self.known).min((throttle.known_share + 1) / 2 - self.own)
            }
        };
        in_all.min(in_lane).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn lane(number: usize) -> Lane {
        match number {
            0 => Lane::Outside,
            1..4 => Lane::Browser([u8::try_from(number).unwrap(); 32]),
            _ => Lane::Session(Handle(Uuid::from_u128(number as u128))),
        }
    }

    fn standing(failures: &[i32], number: usize, keeps_share: bool) -> Standing {
        let known = failures[1..].iter().sum();
        Standing { outside: failures[0], known, own: failures[number], keeps_share }
    }

    /// Tries `numbers` in turn, each wrong, and answers how many were looked at in each lane.
    fn tried(numbers: &[usize], keeps_share: impl Fn(usize) -> bool) -> [i32; 8] {
        let throttle = ThrottleLimits::default();
        let mut failures = [0; 8];
        for (at, number) in numbers.iter().enumerate() {
            if standing(&failures, *number, keeps_share(at)).left(&lane(*number), &throttle) > 0 {
                failures[*number] += 1;
            }
        }
        failures
    }

    #[test]
    fn strangers_have_eighty_and_leave_each_known_lane_ten() {
        assert_eq!(tried(&[0; 300], |_| true), [80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(tried(&[0; 300], |_| false)[0], 100);
        let then_known = [vec![0; 300], vec![1; 300], vec![2; 300], vec![3; 300]].concat();
        assert_eq!(tried(&then_known, |_| true), [80, 10, 10, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn whatever_is_tried_in_whatever_lane_no_more_than_a_hundred_are_looked_at(
            numbers in proptest::collection::vec(0usize..8, 0..600),
            begins in 0usize..600,
        ) {
            let failures = tried(&numbers, |at| at >= begins);
            prop_assert!(failures.iter().sum::<i32>() <= 100, "{failures:?}");
            prop_assert!(failures[1..].iter().all(|count| *count <= 10), "{failures:?}");
            prop_assert!(failures[1..].iter().sum::<i32>() <= 20, "{failures:?}");
        }

        #[test]
        fn whatever_strangers_do_a_browser_that_was_let_in_before_still_has_its_ten(
            strangers in 0usize..600,
        ) {
            let failures = tried(&[vec![0; strangers], vec![1; 20]].concat(), |_| true);
            prop_assert_eq!(failures[1], 10);
        }
    }
}
