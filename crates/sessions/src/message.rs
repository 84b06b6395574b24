//! The messages on the NOTIFY channel, one short text each.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::Principal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A session of this principal, or what is cached with it, has changed.
    Changed(Principal),
    /// Anything may have changed.
    Everything,
    /// Asks every listener to acknowledge this to `from` once it has processed all earlier messages.
    Sync { from: Uuid, number: u64 },
    /// The acknowledgement of a sync.
    Ack { to: Uuid, number: u64, by: Uuid },
    /// Sent through the pool to test whether notifications reach the listener's connection.
    Probe(Uuid),
}

impl fmt::Display for Message {
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

/// None of these messages: sent by a newer version or by hand.
#[derive(Debug)]
pub(crate) struct UnknownMessage;

impl FromStr for Message {
    type Err = UnknownMessage;

    fn from_str(text: &str) -> Result<Self, UnknownMessage> {
        let parts: Vec<&str> = text.split(' ').collect();
        let id = |text: &str| text.parse::<Uuid>().map_err(|_| UnknownMessage);
        let count = |text: &str| text.parse::<u64>().map_err(|_| UnknownMessage);
        match *parts {
            ["*"] => Ok(Self::Everything),
            ["sync", from, number] => Ok(Self::Sync { from: id(from)?, number: count(number)? }),
            ["ack", to, number, by] => Ok(Self::Ack { to: id(to)?, number: count(number)?, by: id(by)? }),
            ["probe", nonce] => id(nonce).map(Self::Probe),
            [principal] => id(principal).map(Principal).map(Self::Changed),
            _ => Err(UnknownMessage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_parsed_as_they_are_written() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for message in [
            Message::Changed(Principal(a)),
            Message::Everything,
            Message::Sync { from: a, number: 7 },
            Message::Ack { to: a, number: u64::MAX, by: b },
            Message::Probe(b),
        ] {
            assert_eq!(message.to_string().parse::<Message>().unwrap(), message);
        }
        for other in ["", "sync", "ack 1 2 3", "hello", "sync a b"] {
            assert!(other.parse::<Message>().is_err(), "{other}");
        }
    }
}
