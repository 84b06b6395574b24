//! Registration, log-in and log-out in a browser, by the visible text, as a user does them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, PHONE};
use crate::support::subjects;

const EMAIL: &str = "mary@example.org";
const PASSWORD: &str = "on the connexion of the sciences";

#[actix_web::test]
async fn at_a_desk() {
    let app = TestApp::spawn();
    let first = Chrome::open(&app.origin).await;
    let second = Chrome::open(&app.origin).await;
    in_and_out(&app, &first, &second).await;
}

#[actix_web::test]
async fn without_javascript() {
    let app = TestApp::spawn();
    let first = Chrome::without_javascript(&app.origin).await;
    let second = Chrome::without_javascript(&app.origin).await;
    in_and_out(&app, &first, &second).await;
}

#[actix_web::test]
async fn on_a_phone() {
    let app = TestApp::spawn();
    let first = Chrome::open(&app.origin).await;
    first.resize(PHONE).await;
    let second = Chrome::open(&app.origin).await;
    second.resize(PHONE).await;
    in_and_out(&app, &first, &second).await;
}

async fn in_and_out(app: &TestApp, first: &Chrome, second: &Chrome) {
    first.go("/").await;
    first.press("Register").await;
    first.is_at("register").await;
    first.type_in("Name", "Mary Somerville").await;
    first.type_in("Email", EMAIL).await;
    first.type_in("Password", PASSWORD).await;
    first.press("Register").await;

    first.is_at("register/check_email").await;
    first.press("open the mailbox").await;
    first.press(subjects::VERIFY_EMAIL).await;
    first.waits_for("main a.code").await.click().await.expect("a click");
    first.is_at("verify_email").await;
    first.press("Confirm email").await;
    first.is_at("login").await;
    first.shows("data-flash", "verified").await;

    log_in(first).await;
    log_in(second).await;

    // The first browser ends the session of the second. It has to confirm first, because its log-in is old by now.
    app.db.execute("UPDATE sessions SET confirmed_at = now() - interval '1 hour'");
    first.press("Account").await;
    first.is_at("account").await;
    first.press("Sessions").await;
    first.is_at("account/sessions").await;
    first.press("End").await;
    first.is_at("confirm").await;
    first.type_in("Password", PASSWORD).await;
    first.press("Confirm").await;
    first.is_at("account/sessions").await;
    first.press("End").await;
    first.shows("data-flash", "session-ended").await;
    first.shows("data-others", "0").await;

    second.press("Account").await;
    second.is_at("login").await;
    assert_eq!(second.path().await, "/login?next=/account");

    first.press("Log out").await;
    first.is_at("login").await;
    first.shows("data-flash", "logged-out").await;
    first.back().await;
    first.is_at("login").await;
    let shown = first.text().await;
    assert!(!shown.contains("Mary") && !shown.contains(EMAIL), "{shown}");
}

async fn log_in(chrome: &Chrome) {
    chrome.log_in(EMAIL, PASSWORD).await;
    chrome.is_at("home").await;
}

/// Without this, the journey without JavaScript could pass with JavaScript on.
#[actix_web::test]
async fn javascript_is_truly_off_where_it_should_be() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("its number"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let page = "<title>off</title><script>document.title = 'on'</script>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    for (chrome, title) in
        [(Chrome::open(&origin).await, "on"), (Chrome::without_javascript(&origin).await, "off")]
    {
        chrome.go("/").await;
        assert_eq!(chrome.client.title().await.expect("a title"), title);
    }
}
