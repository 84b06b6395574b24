//! Checks the path from the browser to the server: sends requests to the running instance at its public address.

use std::time::Duration;

use url::Url;

use super::bounded;
use super::finding::{Finding, note, ok, problem, warning};
use super::http::{self, Response};
use crate::config::{Origin, Settings};
use crate::web::ops::doctor::{self, FRESH_FOR, HEADER, ObservedRequest};

const WITHIN: Duration = Duration::from_secs(15);

/// A documentation address (RFC 5737). No client has it, so a server that reports it believes the header.
pub(super) const TEST_ADDRESS: &str = "192.0.2.1";

/// Counts the proxies that the portal and proxied apps trust.
pub(super) const HOPS: &str = "LATCHKEY__SERVER__TRUSTED_HOPS";

pub fn look(settings: &Settings, url: Option<&str>) -> Vec<Finding> {
    let Some(url) = url else {
        return vec![note(
            "site.reach",
            "not checked",
            "run `latchkey doctor --url` with the public address to check the running instance",
        )];
    };
    let origin = match Url::parse(url) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => url,
        _ => {
            return vec![problem(
                "site.reach",
                format!("{url:?} is not a URL"),
                "such as https://id.example.org",
            )];
        }
    };
    let asking = (settings.clone(), origin.clone());
    let seen = match bounded("site.reach", WITHIN, move || ask(&asking.0, &asking.1, &[])) {
        Ok(seen) => seen,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![reached(settings, &origin, &seen)];
    let asking = (settings.clone(), origin.clone());
    let spoofed = bounded("site.client-address", WITHIN, move || {
        ask(&asking.0, &asking.1, &[("X-Forwarded-For", TEST_ADDRESS)])
    });
    findings.push(
        spoofed
            .map_or_else(|finding| finding, |spoofed| address("site.client-address", &seen, &spoofed, HOPS)),
    );
    let page = origin.join("/login").unwrap_or_else(|_| origin.clone());
    let unanswered = |why| problem("site.headers", why, "/login does not answer");
    match bounded("site.headers", WITHIN, move || http::get(&page, &[]).map_err(unanswered)) {
        Ok(page) => findings.extend([headers(&page, &origin), cookie(&page, &origin)]),
        Err(finding) => findings.push(finding),
    }
    let plain = origin.clone();
    let redirected = bounded("site.redirect", WITHIN, move || Ok(redirect("site.redirect", &plain)));
    findings.push(redirected.unwrap_or_else(|finding| finding));
    findings
}

fn ask(settings: &Settings, origin: &Url, more: &[(&str, &str)]) -> Result<ObservedRequest, Finding> {
    let failed = |seen: String, advice: &str| problem("site.reach", seen, advice);
    let question =
        doctor::question(&settings.secret).map_err(|error| failed(error.to_string(), "run it again"))?;
    let url =
        origin.join(doctor::PATH).map_err(|error| failed(error.to_string(), "use only scheme and host"))?;
    let headers: Vec<(&str, &str)> =
        [(HEADER, question.as_str())].into_iter().chain(more.iter().copied()).collect();
    let answer = http::get(&url, &headers).map_err(|why| {
        let (seen, advice) = unreached(&why, url.host_str().unwrap_or_default());
        failed(seen, advice)
    })?;
    doctor::verified_answer(&settings.secret, &question, &answer.body).ok_or_else(|| {
        failed(
            format!("another server answers ({})", answer.status),
            &format!("does the address lead to this instance? Does the instance have the same secret and version, and do the clocks differ by less than {FRESH_FOR} s?"),
        )
    })
}

/// Explains an error of OpenSSL, for which a browser would show a warning, and what to do.
pub(super) fn unreached(why: &str, host: &str) -> (String, &'static str) {
    // Versions of OpenSSL differ in capitalization.
    let lower = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    match () {
        () if says(&["hostname mismatch", "ip address mismatch"]) => (
            format!("the certificate is not for {host} ({why})"),
            "install a certificate with this name at the gateway, or use a name of the certificate",
        ),
        () if says(&["certificate has expired"]) => (
            format!("the certificate has expired ({why})"),
            "renew it, and check why it was not renewed automatically",
        ),
        () if says(&["certificate is not yet valid"]) => {
            (format!("the certificate is not valid yet ({why})"), "is the clock of this machine correct?")
        }
        () if says(&[
            "local issuer certificate",
            "self-signed",
            "self signed",
            "unable to verify the first",
        ]) =>
        {
            (
                format!("this machine does not trust the authority of the certificate ({why})"),
                "configure the gateway to send the whole chain, from an authority that browsers trust; for a private authority, set SSL_CERT_FILE",
            )
        }
        () if says(&["wrong version number", "packet length too long", "http request"]) => (
            format!("the server there does not speak TLS ({why})"),
            "terminate TLS at the public proxy, and use its address",
        ),
        () => (
            why.to_owned(),
            "is an instance running? Are the name, the certificate and the route of the gateway correct?",
        ),
    }
}

fn reached(settings: &Settings, asked: &Url, seen: &ObservedRequest) -> Finding {
    let asked = Origin::parse(asked.as_str()).map(|origin| origin.as_str().to_owned());
    let asked = asked.unwrap_or_else(|why| why);
    let ours = settings.server.public.as_str();
    let who = format!("the instance answers, version {}", seen.version);
    if seen.public != ours {
        return problem(
            "site.reach",
            format!("{who}, but its public address is {}, and {ours} in these settings", seen.public),
            "run the doctor with the settings of the instance",
        );
    }
    if asked != ours {
        return warning(
            "site.reach",
            format!("{who}, but its public address is {ours}"),
            "links, cookies and the origin check use that address: use it here too, or correct LATCHKEY__SERVER__PUBLIC_URL",
        );
    }
    if seen.proto.as_deref() == Some("http") && settings.server.public.is_secure() {
        return warning(
            "site.reach",
            format!("{who}, but the proxy reports a request without TLS"),
            "terminate TLS at the public proxy",
        );
    }
    ok("site.reach", who)
}

/// The first request has no `X-Forwarded-For`, so the entries that arrive are those of the proxies; the second request
/// has a forged one.
///
/// * `setting`: counts the proxies that are trusted.
pub(super) fn address(
    check: &'static str,
    seen: &ObservedRequest,
    spoofed: &ObservedRequest,
    setting: &str,
) -> Finding {
    let ObservedRequest { forwarded, trusted_hops, .. } = seen;
    let text =
        |address: Option<std::net::IpAddr>| address.map_or_else(|| "unknown".into(), |ip| ip.to_string());
    let client = text(seen.client);
    if text(spoofed.client) == TEST_ADDRESS {
        return problem(
            check,
            format!(
                "a forged X-Forwarded-For is believed: {trusted_hops} proxies are trusted, {forwarded} write the header"
            ),
            format!("any client can bypass the throttle: set {setting} to {forwarded}"),
        );
    }
    if forwarded > trusted_hops {
        return problem(
            check,
            format!(
                "your address appears as {client}, which is a proxy: {forwarded} proxies write X-Forwarded-For, {trusted_hops} are trusted"
            ),
            format!("all clients count as one address: set {setting} to {forwarded}"),
        );
    }
    if forwarded < trusted_hops {
        return problem(
            check,
            format!(
                "your address appears as {client}: {forwarded} proxies write X-Forwarded-For, {trusted_hops} are trusted"
            ),
            format!("set {setting} to {forwarded}"),
        );
    }
    ok(
        check,
        format!("your address appears as {client}, through {forwarded} proxies; check that this is correct"),
    )
}

fn headers(page: &Response, origin: &Url) -> Finding {
    let mut wanted =
        vec!["content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"];
    if origin.scheme() == "https" {
        wanted.push("strict-transport-security");
    }
    let missing: Vec<&str> = wanted.into_iter().filter(|name| page.header(name).is_none()).collect();
    let doubled = ["content-security-policy", "strict-transport-security"]
        .into_iter()
        .find(|name| page.all(name).count() > 1);
    let stored = page.header("cache-control").is_none_or(|value| !value.contains("no-store"));
    match (missing.is_empty(), doubled, stored) {
        (false, ..) => problem(
            "site.headers",
            format!("/login arrives without {}", missing.join(", ")),
            "a proxy removes them: configure it to forward them",
        ),
        (_, _, true) => problem(
            "site.headers",
            "caches may store /login",
            "a proxy changes Cache-Control: configure it to forward the header",
        ),
        (_, Some(name), _) => {
            warning("site.headers", format!("{name} arrives twice"), "a proxy adds its own: remove it there")
        }
        _ => ok("site.headers", "all headers arrive unchanged"),
    }
}

fn cookie(page: &Response, origin: &Url) -> Finding {
    let Some(cookie) = page.all("set-cookie").find(|cookie| cookie.contains("latchkey")) else {
        return problem("site.cookie", "/login sets no cookie", "log-ins fail: a proxy removes Set-Cookie");
    };
    let name = cookie.split('=').next().unwrap_or_default();
    let secure = origin.scheme() == "https";
    match (has_our_attributes(cookie, secure), secure, name.starts_with("__Host-")) {
        (false, ..) => problem(
            "site.cookie",
            format!("{name} arrives changed"),
            "a proxy rewrites cookies: configure it to forward them",
        ),
        (_, true, false) => problem(
            "site.cookie",
            format!("{name} has no __Host- prefix"),
            "the instance does not know that it is reached over TLS: set LATCHKEY__SERVER__PUBLIC_URL",
        ),
        (_, false, _) => note("site.cookie", format!("{name}, without TLS"), "for this machine only"),
        _ => ok("site.cookie", format!("{name} arrives unchanged")),
    }
}

/// Whether a cookie of ours for a whole host arrives as it was sent.
pub(super) fn has_our_attributes(cookie: &str, secure: bool) -> bool {
    let attributes: Vec<String> = cookie.split(';').skip(1).map(|part| part.trim().to_lowercase()).collect();
    let has = |wanted: &str| attributes.iter().any(|attribute| attribute == wanted);
    has("httponly")
        && has("path=/")
        && attributes.iter().any(|attribute| attribute.starts_with("samesite="))
        && !attributes.iter().any(|attribute| attribute.starts_with("domain="))
        && (!secure || has("secure"))
}

pub(super) fn redirect(check: &'static str, origin: &Url) -> Finding {
    let mut plain = origin.clone();
    if origin.scheme() != "https" || origin.port().is_some() || plain.set_scheme("http").is_err() {
        return note(check, "this URL has no http:// counterpart", "");
    }
    check_redirect(check, &plain)
}

fn check_redirect(check: &'static str, plain: &Url) -> Finding {
    match http::get(plain, &[]) {
        Err(why) => ok(check, format!("http:// does not answer ({why})")),
        Ok(answer) => match answer.header("location") {
            Some(location) if (300..400).contains(&answer.status) && location.starts_with("https://") => {
                ok(check, "http:// leads to https://")
            }
            _ => warning(
                check,
                format!("http:// answers {} and does not lead to https://", answer.status),
                "redirect it at the gateway",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::cli::doctor::finding::Level;

    /// The finding for a server that answers requests without TLS with this head.
    fn found(head: &'static str) -> Finding {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answers = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 1024]);
            client.write_all(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        });
        let found = check_redirect("site.redirect", &url);
        answers.join().unwrap();
        found
    }

    #[test]
    fn http_must_redirect_to_https_or_not_answer() {
        for (head, level, words) in [
            ("301 Moved\r\nLocation: https://id.example.org/", Level::Ok, "leads to https"),
            ("308 Moved\r\nLocation: https://id.example.org/login", Level::Ok, "leads to https"),
            ("302 Found\r\nLocation: http://www.example.org/", Level::Warning, "answers 302"),
            ("200 OK", Level::Warning, "answers 200 and does not lead to https"),
        ] {
            let Finding { level: seen, seen: text, advice, .. } = found(head);
            assert!(seen == level && text.contains(words), "{head}: {text}");
            assert_eq!(advice.is_empty(), level == Level::Ok, "{head}");
        }
        let unreachable = Url::parse("http://127.0.0.1:9").unwrap();
        assert_eq!(check_redirect("site.redirect", &unreachable).level, Level::Ok);
        let elsewhere = Url::parse("https://127.0.0.1:9").unwrap();
        assert_eq!(redirect("site.redirect", &elsewhere).level, Level::Note);
    }
}
