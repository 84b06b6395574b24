//! Whether others can read or change the traffic to the database. Assessed at the client, because behind a pooler or a
//! tunnel the server sees another connection. For the log of `serve` and the doctor.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;

use percent_encoding::percent_decode_str;

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
    let libpq_parameters = libpq_parameters(url, |name| env::var(name).ok());
    let sslmode = libpq_parameters.sslmode;
    let safety = match sslmode.as_str() {
        _ if libpq_parameters.hosts.iter().all(|host| is_within(host)) => TransportSafety::Local,
        "verify-full" => TransportSafety::Verified,
        "verify-ca" | "require" => TransportSafety::Unverified,
        _ if is_encrypted() => TransportSafety::Unverified,
        _ => TransportSafety::Plaintext,
    };
    TransportSecurity { safety, sslmode }
}

/// The parameters that libpq derives from a URL and the environment.
struct LibpqParameters {
    /// An empty one is the default socket file of libpq.
    hosts: Vec<String>,
    sslmode: String,
}

/// In the order of libpq: the URL, the service file, the environment, the default.
fn libpq_parameters(url: &str, env: impl Fn(&str) -> Option<String>) -> LibpqParameters {
    let written = written(url);
    let service = written.get("service").cloned().or_else(|| env("PGSERVICE"));
    let service =
        service.filter(|name| !name.is_empty()).map_or_else(HashMap::new, |name| of_service(&name, &env));
    let find = |name: &str, variable: &str| {
        let found = written.get(name).or_else(|| service.get(name)).cloned().or_else(|| env(variable));
        found.filter(|value| !value.is_empty())
    };
    let hosts = find("hostaddr", "PGHOSTADDR").or_else(|| find("host", "PGHOST")).unwrap_or_default();
    LibpqParameters {
        hosts: hosts.split(',').map(|host| host.trim().to_owned()).collect(),
        sslmode: find("sslmode", "PGSSLMODE").unwrap_or_else(|| "prefer".into()),
    }
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

fn written(url: &str) -> HashMap<String, String> {
    let uri = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"));
    uri.map_or_else(|| of_keywords(url), of_uri)
}

/// `user:password@host:port,host:port/database?name=value`
fn of_uri(uri: &str) -> HashMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    // As libpq does: the text before the first @, unless a / comes before it, is the user.
    let begins = uri.find(['@', '/']).filter(|at| uri[*at..].starts_with('@')).map_or(0, |at| at + 1);
    let (place, query) = uri[begins..].split_once('?').unwrap_or((&uri[begins..], ""));
    let hosts = place.split('/').next().unwrap_or_default();
    let hosts = hosts.split(',').map(|host| match host.strip_prefix('[') {
        Some(v6) => decoded(v6.split(']').next().unwrap_or_default()),
        None => decoded(host.split(':').next().unwrap_or_default()),
    });
    let mut found = HashMap::from([("host".to_owned(), hosts.collect::<Vec<_>>().join(","))]);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (decoded(name), decoded(value)) {
            // The parameter of JDBC.
            (name, value) if name == "ssl" && value == "true" => {
                found.insert("sslmode".into(), "require".into())
            }
            (name, value) => found.insert(name, value),
        };
    }
    // An empty value counts as absent.
    found.retain(|_, value| !value.is_empty());
    found
}

/// `name = value name='a value'`
fn of_keywords(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let mut value = String::new();
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut letters = after.char_indices().skip(usize::from(quoted));
        let mut end = after.len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                '\'' if quoted => {
                    end = at + 1;
                    break;
                }
                letter if !quoted && letter.is_whitespace() => {
                    end = at;
                    break;
                }
                letter => value.push(letter),
            }
        }
        found.insert(name.trim().to_owned(), value);
        rest = after[end..].trim_start();
    }
    found
}

/// The service from the first of libpq's files that contains it.
fn of_service(name: &str, env: &impl Fn(&str) -> Option<String>) -> HashMap<String, String> {
    let own = env("PGSERVICEFILE").or_else(|| env("HOME").map(|home| format!("{home}/.pg_service.conf")));
    // Debian's default directory.
    let shared = env("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into());
    let files = own.into_iter().chain([format!("{shared}/pg_service.conf")]);
    let found = files.filter_map(|file| fs::read_to_string(Path::new(&file)).ok());
    let mut sections = found.filter_map(|text| {
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != format!("[{name}]"));
        lines.next()?;
        let own = lines.take_while(|line| !line.starts_with('['));
        let pairs = own.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        Some(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
    });
    sections.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(url: &str, env: &[(&str, &str)]) -> (String, String) {
        let libpq_parameters = libpq_parameters(url, |name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
        });
        (libpq_parameters.hosts.join(","), libpq_parameters.sslmode)
    }

    #[test]
    fn host_and_sslmode_are_found_where_libpq_finds_them() {
        for (url, hosts, sslmode) in [
            ("postgresql://", "", "prefer"),
            ("postgres://u:p%40s@db.example.org:5432/x", "db.example.org", "prefer"),
            ("postgresql://u@a,b:6432,[::1]:5/x?sslmode=verify%2Dfull", "a,b,::1", "verify-full"),
            ("postgresql://u@/x?host=%2Frun%2Fpg&port=5432", "/run/pg", "prefer"),
            ("postgresql://u@%2Frun%2Fpg/x?ssl=true", "/run/pg", "require"),
            // To libpq 16 and newer this is verify-full; to older ones it is the name of a file.
            ("postgresql://db/x?sslrootcert=system&hostaddr=127.0.0.1", "127.0.0.1", "prefer"),
            ("postgresql://u:what?@db/x?sslmode=require", "db", "require"),
            ("host=db  sslmode = verify-ca user=u", "db", "verify-ca"),
            (r"password='a \' sslmode=verify-full' host=db", "db", "prefer"),
            ("password=sslmode=verify-full host=db sslmode='require'", "db", "require"),
            ("", "", "prefer"),
        ] {
            assert_eq!(is(url, &[]), (hosts.into(), sslmode.into()), "{url}");
        }
        let env = [("PGHOST", "elsewhere"), ("PGSSLMODE", "require")];
        assert_eq!(is("postgresql://", &env), ("elsewhere".into(), "require".into()));
        assert_eq!(is("postgresql://db/x?sslmode=allow", &env), ("db".into(), "allow".into()));
    }

    #[test]
    fn the_service_file_takes_precedence_over_the_environment() {
        let file = env::temp_dir().join(format!("latchkey-service-{}", std::process::id()));
        fs::write(
            &file,
            "[other]\nhost=no\n[ours]\n# its name\nhost=db\nsslmode=verify-full\n[last]\nhost=no\n",
        )
        .unwrap();
        let env =
            [("PGSERVICEFILE", file.to_str().unwrap()), ("PGSERVICE", "ours"), ("PGSSLMODE", "disable")];
        assert_eq!(is("postgresql://", &env), ("db".into(), "verify-full".into()));
        assert_eq!(is("service=last", &env), ("no".into(), "disable".into()));
        fs::remove_file(file).unwrap();
    }

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
