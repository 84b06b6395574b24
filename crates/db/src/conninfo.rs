//! Connection strings of libpq, as URLs or as `key=value` words: the only file that reads them. libpq uses the last value of
//! a repeated parameter.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use percent_encoding::percent_decode_str;

/// The beginnings of a connection string that is a URL.
const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// Where libpq connects to, and how it protects the connection.
pub struct ConnectionTarget {
    /// An empty one is the default socket file of libpq.
    pub hosts: Vec<String>,
    /// The `sslmode`, or libpq's default.
    pub sslmode: String,
}

/// Whether `url` is a URL and not `key=value` words.
pub fn is_url(url: &str) -> bool {
    uri_of(url).is_some()
}

/// `url` with `name` and limits for the connection attempt added, except for parameters that it sets itself.
pub(crate) fn with_defaults(url: &str, application_name: &str) -> String {
    let given = parameters(url);
    let mut out = url.to_owned();
    let defaults = [
        ("connect_timeout", "2"),
        // The kernel notices within seconds that a host has vanished.
        ("keepalives_idle", "5"),
        ("keepalives_interval", "2"),
        ("keepalives_count", "2"),
        ("tcp_user_timeout", "6000"),
        // A standby lags behind: a revoked session may still be live there.
        ("target_session_attrs", "primary"),
        ("application_name", application_name),
    ];
    for (name, value) in defaults {
        if !given.contains_key(name) {
            append(&mut out, name, value);
        }
    }
    out
}

/// The same server as `url`, but the database `name`.
pub fn with_database(url: &str, name: &str) -> String {
    let mut out = url.to_owned();
    append(&mut out, "dbname", name);
    out
}

fn append(url: &mut String, name: &str, value: &str) {
    match uri_of(url).map(after_user) {
        Some(place) if !place.contains('?') => url.push('?'),
        Some(place) if place.ends_with('?') => {}
        Some(_) => url.push('&'),
        None => url.push(' '),
    }
    url.push_str(&format!("{name}={value}"));
}

/// Where libpq connects to with `url`. In its order: the URL, the service file, the environment, the default.
///
/// * `env`: reads a variable of the environment.
pub fn target(url: &str, env: impl Fn(&str) -> Option<String>) -> ConnectionTarget {
    let given = parameters(url);
    let service = given.get("service").cloned().or_else(|| env("PGSERVICE"));
    let service =
        service.filter(|name| !name.is_empty()).map_or_else(HashMap::new, |name| of_service(&name, &env));
    let find = |name: &str, variable: &str| {
        let found = given.get(name).or_else(|| service.get(name)).cloned().or_else(|| env(variable));
        found.filter(|value| !value.is_empty())
    };
    let hosts = find("hostaddr", "PGHOSTADDR").or_else(|| find("host", "PGHOST")).unwrap_or_default();
    ConnectionTarget {
        hosts: hosts.split(',').map(|host| host.trim().to_owned()).collect(),
        sslmode: find("sslmode", "PGSSLMODE").unwrap_or_else(|| "prefer".into()),
    }
}

/// The parameters that `url` sets.
fn parameters(url: &str) -> HashMap<String, String> {
    uri_of(url).map_or_else(|| of_keywords(url), of_uri)
}

/// `url` without its scheme, if it is a URL.
fn uri_of(url: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme))
}

/// As libpq does: the text before the first @, unless a / comes before it, is the user and may contain a `?`.
fn after_user(uri: &str) -> &str {
    let begins = uri.find(['@', '/']).filter(|at| uri[*at..].starts_with('@')).map_or(0, |at| at + 1);
    &uri[begins..]
}

/// `user:password@host:port,host:port/database?name=value`
fn of_uri(uri: &str) -> HashMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let place = after_user(uri);
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
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
    use std::env;

    use super::*;

    #[test]
    fn the_database_is_replaced_in_every_form_of_connection_string() {
        for (url, expected) in [
            ("postgresql://", "postgresql://?dbname=x"),
            ("postgresql://?", "postgresql://?dbname=x"),
            ("postgres://a:b@c:1/d", "postgres://a:b@c:1/d?dbname=x"),
            ("postgresql://a@/d?host=/tmp", "postgresql://a@/d?host=/tmp&dbname=x"),
            ("postgres://a:what?@c/d", "postgres://a:what?@c/d?dbname=x"),
            ("host=c dbname=d", "host=c dbname=d dbname=x"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }

    #[test]
    fn parameters_that_the_url_sets_are_kept() {
        let url = with_defaults("postgresql://db/x?connect_timeout=9", "shop");
        assert!(url.starts_with("postgresql://db/x?connect_timeout=9&keepalives_idle=5"), "{url}");
        assert!(url.ends_with("&application_name=shop"), "{url}");
        assert_eq!(url.matches("connect_timeout").count(), 1);
    }

    #[test]
    fn a_parameter_is_not_mistaken_for_a_part_of_a_password() {
        let url = with_defaults("postgresql://u:connect_timeout@db/x", "shop");
        assert!(url.contains("?connect_timeout=2&"), "{url}");
        assert!(
            with_defaults("host=db password=application_name", "shop").ends_with(" application_name=shop")
        );
    }

    fn is(url: &str, env: &[(&str, &str)]) -> (String, String) {
        let target =
            target(url, |name| env.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned()));
        (target.hosts.join(","), target.sslmode)
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
}
