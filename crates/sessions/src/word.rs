//! What is said on the channel, one short text a message.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::Principal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Something of this principal's sessions, or of themselves, has changed.
    Changed(Principal),
    /// Anything may have.
    Everything,
    /// Whoever hears this, having taken in all that came before, says so to `from`.
    Sync {
        from: Uuid,
        number: u64,
    },
    Ack {
        to: Uuid,
        number: u64,
        by: Uuid,
    },
    /// Sent over another connection, to see whether it arrives.
    Probe(Uuid),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(principal) => principal.fmt(f),
            Self::Everything => f.write_str("*"),
            Self::Sync { from, number } => write!(f, "sync {from} {number}"),
            Self::Ack { to, number, by } => write!(f, "ack {to} {number} {by}"),
            Self::Probe(id) => write!(f, "probe {id}"),
        }
    }
}

/// Not ours: said by a newer version, or by hand.
#[derive(Debug)]
pub struct Unknown;

impl FromStr for Word {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let parts: Vec<&str> = text.split(' ').collect();
        let id = |text: &str| text.parse::<Uuid>().map_err(|_| Unknown);
        let count = |text: &str| text.parse::<u64>().map_err(|_| Unknown);
        match *parts {
            ["*"] => Ok(Self::Everything),
            ["sync", from, number] => Ok(Self::Sync { from: id(from)?, number: count(number)? }),
            ["ack", to, number, by] => Ok(Self::Ack { to: id(to)?, number: count(number)?, by: id(by)? }),
            ["probe", nonce] => id(nonce).map(Self::Probe),
            [principal] => id(principal).map(Principal).map(Self::Changed),
            _ => Err(Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_heard_as_they_are_said() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for word in [
            Word::Changed(Principal(a)),
            Word::Everything,
            Word::Sync { from: a, number: 7 },
            Word::Ack { to: a, number: u64::MAX, by: b },
            Word::Probe(b),
        ] {
            assert_eq!(word.to_string().parse::<Word>().unwrap(), word);
        }
        for other in ["", "sync", "ack 1 2 3", "hello", "sync a b"] {
            assert!(other.parse::<Word>().is_err(), "{other}");
        }
    }
}
