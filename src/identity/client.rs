//! Who sent a request: IP address, user agent, known-device cookie and access token.

use std::net::IpAddr;

use uuid::Uuid;

use crate::secret::TokenHash;

/// The IP address as the trusted proxies report it, the user agent, and the known-device cookie.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub address: String,
    pub user_agent: String,
    /// The hash of the known-device cookie. Only the database says whether it belongs to a log-in.
    pub browser: Option<TokenHash>,
    /// The access token of the request. Every event that the request causes names it.
    pub token: Option<ClientToken>,
    /// Only [`Client::operator`] sets this; no request can.
    is_operator: bool,
}

/// An access token as events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    pub id: Uuid,
    pub name: String,
}

/// The user agent of events that the command line causes.
const COMMAND_LINE: &str = "latchkey command line";

/// Characters of a user agent.
const USER_AGENT_MAX: usize = 400;

/// The stored IP address of a request from an unknown peer. Never empty: an event without one is the operator's.
const NO_ADDRESS: &str = "unknown";

/// Who caused an event, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The command line, or the instance itself.
    Operator,
    /// The user agent that the browser sent. It may be empty or forged.
    Browser(String),
}

impl Agent {
    /// Reads the columns of an event. A browser may send the user agent of the command line, but a request always has an
    /// address.
    pub(crate) fn stored(address: &str, user_agent: String) -> Self {
        if address.is_empty() && user_agent == COMMAND_LINE {
            Self::Operator
        } else {
            Self::Browser(user_agent)
        }
    }
}

/// The first characters of a user agent: as many as are stored.
fn cut(user_agent: &str) -> &str {
    // Most are shorter in bytes.
    let end = if user_agent.len() <= USER_AGENT_MAX {
        None
    } else {
        user_agent.char_indices().nth(USER_AGENT_MAX).map(|(end, _)| end)
    };
    end.map_or(user_agent, |end| &user_agent[..end])
}

impl Client {
    /// The client of a request.
    pub fn of_request(address: Option<IpAddr>, user_agent: &str, browser: Option<TokenHash>) -> Self {
        Self {
            address: address.map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: cut(user_agent).to_owned(),
            browser,
            ..Self::default()
        }
    }

    /// The client of an earlier request, from its stored address and user agent.
    pub(crate) fn stored(address: String, user_agent: String) -> Self {
        Self { address, user_agent, ..Self::default() }
    }

    /// The same client, which acts with this access token.
    pub fn with_token(self, id: Uuid, name: &str) -> Self {
        Self { token: Some(ClientToken { id, name: name.to_owned() }), ..self }
    }

    /// The operator on the command line.
    pub fn operator() -> Self {
        Self { is_operator: true, ..Self::default() }
    }

    /// The address and the user agent that an event stores.
    pub(crate) fn recorded(&self) -> (&str, &str) {
        match (self.is_operator, self.address.as_str()) {
            (true, _) => ("", COMMAND_LINE),
            (false, "") => (NO_ADDRESS, &self.user_agent),
            (false, address) => (address, &self.user_agent),
        }
    }

    /// The network that the throttle counts: the IPv4 address, or the /64 that an IPv6 customer usually has.
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
