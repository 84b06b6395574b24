//! Whether others can read or change the traffic to the database. Assessed at the client, because behind a pooler or a
//! tunnel the server sees another connection. For the log of `serve` and the doctor.

use std::env;
use std::net::{IpAddr, ToSocketAddrs as _};

use latchkey_db::conninfo::{self, ConnectionTarget};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportSafety {
    /// A socket file, or a loopback address.
    Local,
    /// Encrypted, and libpq verifies the identity of the server.
    Verified,
    /// Encrypted, but an attacker in the network can impersonate the server.
    Unverified,
    /// Not encrypted.
    Plaintext,
}

impl TransportSafety {
    pub fn is_good(self) -> bool {
        matches!(self, Self::Local | Self::Verified)
    }
}

pub struct TransportSecurity {
    pub safety: TransportSafety,
    pub sslmode: String,
}

/// What to do if it is not good.
pub const ADVICE: &str = "set PGSSLMODE=verify-full (or sslmode in the URL), and PGSSLROOTCERT to the certificate of the database's authority";

/// Calls `is_encrypted` only if the settings of libpq leave it open.
pub fn assess(url: &str, is_encrypted: impl FnOnce() -> bool) -> TransportSecurity {
    let ConnectionTarget { hosts, sslmode } = conninfo::target(url, |name| env::var(name).ok());
    let safety = match sslmode.as_str() {
        _ if hosts.iter().all(|host| is_within(host)) => TransportSafety::Local,
        "verify-full" => TransportSafety::Verified,
        "verify-ca" | "require" => TransportSafety::Unverified,
        _ if is_encrypted() => TransportSafety::Unverified,
        _ => TransportSafety::Plaintext,
    };
    TransportSecurity { safety, sslmode }
}

fn is_within(host: &str) -> bool {
    if host.is_empty() || host.starts_with(['/', '@']) {
        return true;
    }
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => {
            (host, 0).to_socket_addrs().map(|found| found.map(|it| it.ip()).collect()).unwrap_or_default()
        }
    };
    !addresses.is_empty() && addresses.iter().all(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_and_loopback_addresses_are_within_the_machine() {
        for within in ["", "/run/postgresql", "@abstract", "127.0.0.1", "127.8.0.9", "::1", "localhost"] {
            assert!(is_within(within), "{within}");
        }
        for outside in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "0.0.0.0", "nobody.invalid"] {
            assert!(!is_within(outside), "{outside}");
        }
        assert_eq!(
            assess("postgresql://u@localhost,192.0.2.1/x", || false).safety,
            TransportSafety::Plaintext
        );
        assert_eq!(
            assess("postgresql://u@localhost,192.0.2.1/x", || true).safety,
            TransportSafety::Unverified
        );
        let asked = || unreachable!("the settings decide");
        assert_eq!(
            assess("postgresql://u@192.0.2.1/x?sslmode=require", asked).safety,
            TransportSafety::Unverified
        );
        assert_eq!(
            assess("postgresql://u@192.0.2.1/x?sslmode=verify-full", asked).safety,
            TransportSafety::Verified
        );
        assert_eq!(
            assess("postgresql://u@localhost/x?sslmode=disable", asked).safety,
            TransportSafety::Local
        );
    }
}
