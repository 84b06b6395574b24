//! A network of IP addresses, for rules.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP address with a prefix length, such as `10.0.0.0/8`. The bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is neither an IP address nor a network, bits after its prefix are not zero, or it is an IPv4 network that
/// is written in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidNetwork;

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
                (address, is_number.then(|| prefix.parse().ok()).flatten().map(Some))
            }
            None => (text, Some(None)),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        // Clients with such an address count as IPv4 clients, so no client would ever be in this network.
        if address.to_canonical() != address {
            return Err(InvalidNetwork);
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.ok_or(InvalidNetwork)?.unwrap_or(bits);
        if prefix > bits || masked(address, prefix) != address {
            return Err(InvalidNetwork);
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    /// Whether `address` is in the network. An IPv4 address that is written in IPv6 counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.7", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.128/25", "::ffff:192.0.2.129", "192.0.2.127"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("::1/128", "::1", "::2"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{inside} is in {text}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{outside} is not in {text}");
            assert_eq!(network(&network(text).to_string()), network(text));
        }
    }

    #[test]
    fn a_network_has_no_bits_behind_its_prefix() {
        for bad in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0",
            "::1/64",
            "::/129",
            "any",
            "",
            "::ffff:10.0.0.0/104",
            "::ffff:10.0.0.7",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }
}
