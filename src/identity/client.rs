//! Where a request came from, as far as it is worth remembering.

use std::net::IpAddr;

use crate::secret::TokenHash;

/// The address as judged by the trusted proxies, what the browser calls itself, and what it shows of an earlier log-in.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub address: String,
    pub user_agent: String,
    /// Hash of the proof in its cookie; whether we gave that out is for the database to say.
    pub browser: Option<TokenHash>,
    /// Only [`Client::operator`] sets it: no request can.
    is_operator: bool,
}

/// How an event of the command line is stored, where a browser's name for itself would stand.
const COMMAND_LINE: &str = "latchkey command line";

/// The address of a request whose peer is not known. Never empty: an event without an address is the operator's.
const NO_ADDRESS: &str = "unknown";

/// Who caused an event, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The command line, or the program by itself.
    Operator,
    /// What a browser calls itself; it may be empty, and it may be a lie.
    Browser(String),
}

impl Agent {
    /// Reads an event. A browser may send any name, that of the command line included, but a request always
    /// has an address.
    pub(crate) fn stored(address: &str, user_agent: String) -> Self {
        if address.is_empty() && user_agent == COMMAND_LINE {
            Self::Operator
        } else {
            Self::Browser(user_agent)
        }
    }
}

impl Client {
    /// Who sent a request.
    pub fn of_request(address: Option<IpAddr>, user_agent: &str, browser: Option<TokenHash>) -> Self {
        Self {
            address: address.map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: user_agent.chars().take(400).collect(),
            browser,
            is_operator: false,
        }
    }

    /// Who sent a request, as it was stored.
    pub(crate) fn stored(address: String, user_agent: String) -> Self {
        Self { address, user_agent, browser: None, is_operator: false }
    }

    /// For what the operator does on the command line.
    pub fn operator() -> Self {
        Self { is_operator: true, ..Self::default() }
    }

    /// The address and the agent as an event stores them.
    pub(crate) fn recorded(&self) -> (&str, &str) {
        match (self.is_operator, self.address.as_str()) {
            (true, _) => ("", COMMAND_LINE),
            (false, "") => (NO_ADDRESS, &self.user_agent),
            (false, address) => (address, &self.user_agent),
        }
    }

    /// What throttling counts by: the address, or the /64 an IPv6 customer commonly holds.
    pub fn network(&self) -> String {
        match self.address.parse() {
            Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => {
                    let [a, b, c, d, ..] = v6.segments();
                    format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
                }
            },
            _ => self.address.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> String {
        Client { address: address.into(), ..Client::default() }.network()
    }

    #[test]
    fn only_the_command_line_is_the_operator() {
        let read = |client: &Client| {
            let (address, agent) = client.recorded();
            Agent::stored(address, agent.to_owned())
        };
        assert_eq!(read(&Client::operator()), Agent::Operator);
        for address in [None, Some(IpAddr::from([127, 0, 0, 1]))] {
            let stranger = Client::of_request(address, COMMAND_LINE, None);
            assert_eq!(read(&stranger), Agent::Browser(COMMAND_LINE.into()), "{address:?}");
        }
        let nameless = Client { user_agent: COMMAND_LINE.into(), ..Client::default() };
        assert_eq!(read(&nameless), Agent::Browser(COMMAND_LINE.into()));
    }

    #[test]
    fn an_ipv6_customer_is_one_network() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
    }
}
