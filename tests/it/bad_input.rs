//! Requests that our pages never send are refused without a fault and change nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

const FORM: &str = "application/x-www-form-urlencoded";

/// Posts a body unchanged.
async fn post(browser: &mut Browser, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = browser.request(Method::POST, path).header(CONTENT_TYPE, kind).body(body);
    browser.send(request).await
}

/// Asserts that the users are unchanged and that the same browser still works.
async fn nothing_happened(app: &TestApp, browser: &mut Browser, before: &str) {
    assert_eq!(users(app), before);
    browser.get("/home").await.is(200);
}

fn users(app: &TestApp) -> String {
    app.db.scalar("SELECT string_agg(u::text, E'\\n' ORDER BY u::text) FROM users u")
}

#[actix_web::test]
async fn a_form_that_is_no_clean_text_is_refused() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    browser.get("/account").await.is(200);
    let (token, before) = (browser.token.clone(), users(&app));
    for (body, status) in [
        (format!("csrf_token={token}&name=Eve%00").into_bytes(), 400),
        (format!("csrf_token={token}&name=Eve\0").into_bytes(), 400),
        (format!("csrf_token={token}&name=Eve%08").into_bytes(), 400),
        (format!("csrf_token={token}&name=%ff%fe").into_bytes(), 400),
        (format!("csrf_token={token}&name=%c3%28").into_bytes(), 400),
        ([format!("csrf_token={token}&name=").as_bytes(), b"\xf0\x28\x8c\x28"].concat(), 400),
        (format!("csrf_token={token}&name=%ed%a0%80").into_bytes(), 400),
        (format!("csrf_token={token}&name=Eve&name=Mallory").into_bytes(), 400),
        (format!("csrf_token={token}&name=Eve&%6eame=Mallory").into_bytes(), 400),
        (format!("csrf_token={token}&csrf_token={token}&name=Eve").into_bytes(), 400),
        (format!("csrf_token={token}&name[]=Eve").into_bytes(), 422),
        (format!("csrf_token={token}&name[0]=Eve").into_bytes(), 422),
        (format!("csrf_token={token}&=Eve").into_bytes(), 422),
        (format!("csrf_token={token}&name=Eve&extra=1&extra=2").into_bytes(), 400),
        (format!("csrf_token={token}&{}", "a=1&".repeat(3000)).into_bytes(), 400),
        (b"".to_vec(), 403),
        (b"&&&===".to_vec(), 403),
        (b"{\"name\": \"Eve\"}".to_vec(), 403),
        (vec![0; 1000], 400),
        (vec![0xff; 1000], 400),
    ] {
        let answer = post(&mut browser, "/account/profile", FORM, body.clone()).await;
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&body));
        nothing_happened(&app, &mut browser, &before).await;
    }
}

#[actix_web::test]
async fn fields_that_the_form_does_not_have_are_as_if_they_were_not_sent() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for (name, value) in [
        ("connected_wallet", "1"),
        ("submit", "Log in"),
        ("_charset_", "UTF-8"),
        ("x", "12"),
        ("username", ada.email),
        ("", "nameless"),
        ("constructor", "[object Object]"),
    ] {
        let mut browser = app.browser();
        browser.get("/login").await.is(200);
        let fields = [("email", ada.email), ("password", ada.password), (name, value)];
        browser.post("/login", &fields).await.redirects_to("/home");
        // The response does not repeat them either.
        let mut stranger = app.browser();
        stranger.get("/login").await.is(200);
        let fields = [("email", "eve@example.org"), ("password", "x"), (name, "an-extra-value")];
        stranger.post("/login", &fields).await.is(422).does_not_say("an-extra-value");
        app.wait_out_throttles();
    }
}

#[actix_web::test]
async fn unknown_query_parameters_change_no_page() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut stranger = app.browser();
    let mut admin = app.logged_in(&grace).await;
    let many: Vec<String> = (0..300).map(|n| format!("p{n}=1")).collect();
    for query in [
        "utm_source=a&utm_source=b",
        "ref=caf%E9",
        "x=%00&%00=x&%ff",
        "discount=100%",
        "a=1;b=2+3",
        "&&&",
        "fbclid=%F0%28%8C%28",
        "next=%00/home",
        "next=%ff",
        "page=%ff&page=2",
        &many.join("&"),
    ] {
        for path in ["/", "/login", "/register", "/forgot-password", "/compare"] {
            stranger.get(&format!("{path}?{query}")).await.is(200);
        }
        for path in ["/admin/users", "/admin/audit", "/account/activity", "/account/sessions"] {
            admin.get(&format!("{path}?{query}")).await.is(200);
        }
    }
    // The first value of a name counts, regardless of the fields before it.
    let page = stranger.get("/login?ref=%E9&next=/account&next=/admin").await;
    assert_eq!(page.attribute("input[name=next]", "value").as_deref(), Some("/account"));
    admin.get("/admin/users?ref=%E9&q=%00").await.is(400);
}

#[actix_web::test]
async fn percent_signs_that_mean_nothing_are_taken_as_they_stand() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let body = format!("csrf_token={}&name=100%25+%zz+%2", browser.token);
    let answer = post(&mut browser, "/account/profile", FORM, body).await;
    assert!([303, 400].contains(&answer.status));
    if answer.status == 303 {
        assert_eq!(app.db.scalar::<String>("SELECT name FROM users"), "100% %zz %2");
    }
}

#[actix_web::test]
async fn bodies_of_other_kinds_are_refused() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let (token, before) = (browser.token.clone(), users(&app));
    let form = format!("csrf_token={token}&name=Eve");
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n\
         --x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nEve\r\n--x--\r\n"
    );
    for (kind, body) in [
        ("application/json", format!("{{\"csrf_token\": \"{token}\", \"name\": \"Eve\"}}")),
        ("multipart/form-data; boundary=x", multipart),
        ("text/plain", form.clone()),
        ("", form.clone()),
        ("x-www-form-urlencoded", form.clone()),
        ("application/x-www-form-urlencodedx", form.clone()),
        ("application/xml", "<name>Eve</name>".into()),
        ("Application/JSON", "{}".into()),
    ] {
        let answer = post(&mut browser, "/account/profile", kind, body).await;
        assert_eq!(answer.status, 415, "{kind}");
        nothing_happened(&app, &mut browser, &before).await;
    }
    let bare = browser.request(Method::POST, "/account/profile").body(form.clone());
    browser.send(bare).await.is(415);
    for coding in ["gzip", "br", "identity, gzip"] {
        let coded = browser.request(Method::POST, "/account/profile").header("content-encoding", coding);
        browser
            .send(coded.header(CONTENT_TYPE, FORM).body(form.clone()))
            .await
            .is(415)
            .is_error("wrong-media-type");
        nothing_happened(&app, &mut browser, &before).await;
    }
    for kind in ["application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-UrlEncoded"] {
        let plain = browser.request(Method::POST, "/account/profile").header("content-encoding", "Identity");
        browser.send(plain.header(CONTENT_TYPE, kind).body(form.clone())).await.is(303);
    }
}

#[actix_web::test]
async fn oversized_requests_are_refused_at_the_exact_limit() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    let before = users(&app);
    for (bytes, statuses) in
        [(4_000, &[422][..]), (60_000, &[422]), (70_000, &[413]), (1 << 20, &[413]), (8 << 20, &[413])]
    {
        let long = "x".repeat(bytes);
        for (path, fields) in [
            ("/account/password", [("current_password", ada.password), ("password", &long)]),
            ("/account/password", [("current_password", &long), ("password", "gravel tuba otter lemon")]),
        ] {
            let token = browser.token.clone();
            let request = browser.request(Method::POST, path).form(&[
                ("csrf_token", token.as_str()),
                fields[0],
                fields[1],
            ]);
            let answer = browser.send(request).await;
            assert!(statuses.contains(&answer.status), "{} for {bytes} bytes", answer.status);
            nothing_happened(&app, &mut browser, &before).await;
        }
        let mut stranger = app.browser();
        let answer = stranger.log_in(ada.email, &long).await;
        assert!(statuses.contains(&answer.status), "{} for {bytes} bytes", answer.status);
        let answer = stranger.log_in(&long, ada.password).await;
        assert!(statuses.contains(&answer.status), "{} for {bytes} bytes", answer.status);
        app.wait_out_throttles();
    }
    app.logged_in(&ada).await;
}

/// Sends these bytes and returns what arrived until the server disconnected.
fn raw(app: &TestApp, request: &[u8]) -> String {
    let mut line = TcpStream::connect(app.origin.strip_prefix("http://").unwrap()).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The server may have disconnected before it received everything.
    let _ = line.write_all(request);
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_web::test]
async fn a_body_of_untold_length_is_still_bounded() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let answer = raw(&app, format!("{head}{}0\r\n\r\n", chunk.repeat(40)).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    browser.get("/login").await.is(200);
}

#[actix_web::test]
async fn a_bare_line_feed_ends_a_line_of_the_head_and_nothing_in_a_body() {
    let app = TestApp::spawn();
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or("hung up").to_owned();
    let head = "GET /login HTTP/1.1\nHost: localhost\nConnection: close\n\n";
    assert_eq!(status(&raw(&app, head.as_bytes())), "200");
    let bare_cr = head.replace('\n', "\r");
    assert_ne!(status(&raw(&app, bare_cr.as_bytes())), "200");
    let chunked = |line: &str| {
        format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {FORM}\r\n\
             Transfer-Encoding: chunked\r\n\r\n3{line}a=b{line}0{line}{line}"
        )
    };
    assert_eq!(status(&raw(&app, chunked("\r\n").as_bytes())), "403");
    assert_eq!(status(&raw(&app, chunked("\n").as_bytes())), "400");
}

#[actix_web::test]
async fn requests_that_two_servers_might_read_differently_are_refused() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let get = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for headers in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 3\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length : 3\r\n",
        "X: a\r\n b\r\n",
        "X\0: a\r\n",
    ] {
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n0\r\n\r\n{get}"
        );
        let answer = raw(&app, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or("400");
        assert!(status.starts_with('4'), "{headers:?}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            usize::from(!answer.is_empty()),
            "{headers:?}: {answer}"
        );
    }
    browser.get("/login").await.is(200);
}

#[actix_web::test]
async fn odd_queries_break_no_page() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&grace).await;
    let before = users(&app);
    let mut stranger = app.browser();
    let long = "a".repeat(10 * 1024);
    let token = "A".repeat(43);
    for path in ["/admin/users", "/admin/sessions", "/admin/audit", "/admin/invitations", "/account/activity"]
    {
        for query in [
            "page=0",
            "page=-1",
            "page=1e9",
            "page=99999999999999999999",
            "page=4294967295",
            "page=2147483648",
            "page=x",
            "page=",
            "page=%00",
            "page=1&page=2",
            "page",
            "q=%00",
            "q=%ff",
            "q=%",
            "q=%25%25%25",
            "q=_",
            "q='",
            "q=%5C",
            "q=%5C%5C%25",
            "q=%E2%80%AE",
            "q[]=x",
            "q=x&q=y",
            "&&&",
            "=",
            "q=%F0%9F%92%A1",
            "page=2&q=%25",
            "unknown=1",
        ] {
            let answer = browser.get(&format!("{path}?{query}")).await;
            assert!([200, 400].contains(&answer.status), "{path}?{query}: {}", answer.status);
        }
        let answer = browser.get(&format!("{path}?q={long}")).await;
        assert!([200, 400, 414].contains(&answer.status), "{path}: {}", answer.status);
    }
    for path in ["/login", "/confirm", "/register", "/verify-email", "/reset-password", "/setup", "/"] {
        for name in ["next", "token", "invite", "email", "q"] {
            for value in
                ["", "%00", "%ff", "x", "/%00", "//x", &long, &token, "%22%3E%3Cb%3E", "%0d%0aSet-Cookie:a=b"]
            {
                for browser in [&mut browser, &mut stranger] {
                    let answer = browser.get(&format!("{path}?{name}={value}")).await;
                    assert!(answer.status < 500, "{path}?{name}={value}: {}", answer.status);
                    assert_eq!(answer.cookie("a"), None);
                    assert!(!answer.body.contains("\"><b>"), "{path}?{name}={value}");
                }
            }
        }
    }
    nothing_happened(&app, &mut browser, &before).await;
    app.logged_in(&ada).await;
}

#[actix_web::test]
async fn odd_paths_are_404() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for path in [
        "/nothing",
        "/HOME",
        "/home/",
        "//home",
        "/home%00",
        "/home%2f",
        "/./home2",
        "/admin/users/%00",
        "/admin/users/",
        "/admin/users/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/static/../.env",
        "/dev/mailbox/x",
        "/%ff",
        "/%",
        "/admin/users/%F0%9F%92%A1",
        "/\u{1f4a1}",
        "/account/sessions/x/revoke/y",
        "/*",
        "/admin;x=1",
        "/login.json",
    ] {
        let answer = browser.get(path).await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    // The longest allowed head, and a longer one.
    browser.get(&format!("/{}", "a".repeat(15_000))).await.is(404);
    browser.get(&format!("/{}", "a".repeat(20_000))).await.is(431);
    browser.get("/home").await.is(200);
}

#[actix_web::test]
async fn odd_ids_match_no_user() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    let before = users(&app);
    let id = grace.id.to_string();
    browser.get("/account").await.is(200);
    for odd in [
        Uuid::nil().to_string(),
        Uuid::max().to_string(),
        format!("{id}x"),
        id[1..].to_owned(),
        format!("{id}%00"),
        format!("{id}%20"),
        "0".into(),
        "-1".into(),
        "null".into(),
        "me".into(),
        "*".into(),
        "%25".into(),
        "1;DROP TABLE users".into(),
        "a".repeat(10_000),
    ] {
        for path in [
            "/admin/users/{}/disable",
            "/admin/sessions/{}/revoke",
            "/admin/invitations/{}/withdraw",
            "/account/sessions/{}/revoke",
        ] {
            let status = browser.post(&path.replace("{}", &odd), &[]).await.status;
            assert!([400, 404].contains(&status), "{path} {odd}: {status}");
        }
    }
    nothing_happened(&app, &mut browser, &before).await;
}

#[actix_web::test]
async fn odd_session_cookies_open_no_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let good = app.logged_in(&ada).await.cookies["latchkey"].clone();
    let key = &good[good.len() - 43..];
    let mut tampered = good.clone().into_bytes();
    tampered[3] = if tampered[3] == b'A' { b'B' } else { b'A' };
    let mut other_key = good.clone().into_bytes();
    let last = other_key.len() - 2;
    other_key[last] = if other_key[last] == b'A' { b'B' } else { b'A' };
    for cookie in [
        String::new(),
        "x".into(),
        key.to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}{good}"),
        String::from_utf8(tampered).unwrap(),
        String::from_utf8(other_key).unwrap(),
        "A".repeat(87),
        "A".repeat(4096),
        "%00".into(),
        "%".into(),
        "%ff%ff".into(),
        "\"".into(),
        "a=b=c".into(),
        "../../etc/passwd".into(),
        "' OR 1=1 --".into(),
        ada.id.to_string(),
        good.to_uppercase(),
    ] {
        let mut browser = app.browser();
        browser.cookies.insert("latchkey".into(), cookie.clone());
        browser.get("/home").await.redirects_to("/login");
        browser.get("/login").await.is(200);
        browser.log_in(ada.email, ada.password).await.redirects_to("/home");
        assert!(browser.is_in().await, "{cookie}");
    }
    // The same cookie twice, as when an attacker planted one for a longer path, causes no fault.
    let mut browser = app.browser();
    let twice =
        browser.request(Method::GET, "/home").header("cookie", format!("latchkey=x; latchkey={good}"));
    let status = browser.send(twice).await.status;
    assert!([200, 303].contains(&status), "{status}");
    let raw = HeaderValue::from_bytes(b"latchkey=\xff\xfe").unwrap();
    let bytes = browser.request(Method::GET, "/home").header("cookie", raw);
    browser.send(bytes).await.redirects_to("/login");
}

#[actix_web::test]
async fn odd_headers_break_nothing() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let before = users(&app);
    app.age_confirmations();
    browser.get("/account/sessions").await.is(200);
    let long = "a".repeat(30_000);
    let referer = format!("{}/{long}", app.origin);
    for (name, value) in [
        ("referer", referer.as_bytes()),
        ("referer", b"\xff\xfe"),
        ("referer", b"javascript:alert(1)"),
        ("user-agent", long.as_bytes()),
        ("user-agent", b"\xff\xfe"),
        ("user-agent", b""),
        ("user-agent", "Mozilla\u{202e}\u{1f4a1}".as_bytes()),
        ("accept", long.as_bytes()),
        ("x-forwarded-for", long.as_bytes()),
        ("x-forwarded-for", b"\xff"),
        ("forwarded", b"for=\"_gazonk\""),
        ("accept-language", b"\xff"),
        ("if-none-match", b"*"),
        ("range", b"bytes=0-10"),
        ("expect", b"100-continue"),
        ("origin", b"\xff"),
        ("sec-fetch-site", b"\xff"),
    ] {
        let value = HeaderValue::from_bytes(value).unwrap();
        let get = browser.request(Method::GET, "/account/sessions").header(name, value.clone());
        let answer = browser.send(get).await;
        assert!([200, 206].contains(&answer.status) || answer.status / 100 == 4, "{name}: {}", answer.status);
        let token = browser.token.clone();
        let post =
            browser.request(Method::POST, "/account/sessions/revoke-others").header(name, value.clone());
        let answer = browser.send(post.form(&[("csrf_token", &token)])).await;
        assert!(answer.status < 500, "{name}: {}", answer.status);
        let mut stranger = app.browser();
        stranger.get("/login").await.is(200);
        let fields =
            [("csrf_token", stranger.token.as_str()), ("email", ada.email), ("password", ada.password)];
        let post = stranger.request(Method::POST, "/login").header(name, value).form(&fields);
        let answer = stranger.send(post).await;
        assert!(answer.status < 500, "{name}: {}", answer.status);
        assert!(users(&app).contains("Ada Lovelace"));
        browser.get("/home").await.is(200);
    }
    browser.get("/account/sessions").await.is(200);
    browser.get("/account/activity").await.is(200);
    assert_eq!(users(&app).lines().count(), before.lines().count());
}

#[actix_web::test]
async fn a_flood_of_headers_is_turned_away() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let browser = app.logged_in(&ada).await;
    let mut many = browser.request(Method::GET, "/home");
    for n in 0..200 {
        let name: HeaderName = format!("x-header-{n}").parse().unwrap();
        many = many.header(name, "x");
    }
    // The server may disconnect before everything was sent, and the response may be lost with the connection.
    if let Ok(answer) = many.send().await {
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    browser.copy().get("/home").await.is(200);
}

#[actix_web::test]
async fn text_that_means_something_elsewhere_means_nothing_here() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }}",
        "${jndi:dns:x}",
        "'; DROP TABLE users; --",
        "%s%n%x",
        "=cmd|' /C calc'!A0",
        "&lt;b&gt;",
    ] {
        browser.get("/account").await.is(200);
        browser.post("/account/profile", &[("name", name)]).await.redirects_to("/account");
        let person = format!("/admin/users/{}", grace.id);
        for path in ["/home", "/account", "/admin/users", "/admin/audit", "/admin/sessions", &person] {
            let page = browser.get(path).await;
            page.is(200).says(name);
            assert_eq!(page.count("script") + page.count("img") + page.count("[onerror]"), 0, "{path}");
        }
    }
}
