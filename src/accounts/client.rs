//! Where a request came from, as far as it is worth remembering.

use crate::secret::TokenHash;

/// The address as judged by the trusted proxies, what the browser calls itself, and what it shows of an earlier log-in.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub address: String,
    pub user_agent: String,
    /// Hash of the proof in its cookie; whether we gave that out is for the database to say.
    pub browser: Option<TokenHash>,
}

impl Client {
    /// For what the operator does on the command line.
    pub fn operator() -> Self {
        Self { user_agent: "latchkey command line".into(), ..Self::default() }
    }

    /// What throttling counts by: the address, or the /64 an IPv6 customer commonly holds.
    pub fn network(&self) -> String {
        match self.address.parse() {
            Ok(std::net::IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
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
    fn an_ipv6_customer_is_one_network() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
    }
}
