//! Connection strings of libpq, as URLs or as `key=value` words. libpq uses the last value of a repeated parameter.

/// `url` with `name` and limits for the connection attempt added, except for parameters that it sets itself.
pub(crate) fn with_defaults(url: &str, application_name: &str) -> String {
    let mut out = url.to_owned();
    let parameters = [
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
    for (name, value) in parameters {
        if !url.contains(name) {
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
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        match url.find('?') {
            None => url.push('?'),
            Some(at) if at + 1 == url.len() => {}
            Some(_) => url.push('&'),
        }
    } else {
        url.push(' ');
    }
    url.push_str(&format!("{name}={value}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_replaced_in_every_form_of_connection_string() {
        for (url, expected) in [
            ("postgresql://", "postgresql://?dbname=x"),
            ("postgresql://?", "postgresql://?dbname=x"),
            ("postgres://a:b@c:1/d", "postgres://a:b@c:1/d?dbname=x"),
            ("postgresql://a@/d?host=/tmp", "postgresql://a@/d?host=/tmp&dbname=x"),
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
}
