//! From the front door in and out again, as a person goes: by the words on the screen.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, PHONE};

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
    first.reads("Create your account").await;
    first.type_in("Name", "Mary Somerville").await;
    first.type_in("E-mail address", EMAIL).await;
    first.type_in("Password", PASSWORD).await;
    first.press("Register").await;

    first.reads("Check your e-mail").await;
    first.press("open the mailbox").await;
    first.press("Confirm your e-mail address").await;
    first.reads("Confirm your e-mail address").await;
    first.waits_for("main a.code").await.click().await.expect("a click");
    first.press("Confirm this address").await;
    first.reads("Log in").await;
    first.says("Your address is confirmed.").await;

    log_in(first).await;
    log_in(second).await;

    // The first ends the session of the second, and is asked to prove itself, as its log-in is old by now.
    app.db.execute("UPDATE sessions SET confirmed_at = now() - interval '1 hour'");
    first.press("Account").await;
    first.reads("Who you are here").await;
    first.press("Sessions").await;
    first.reads("Where you are logged in").await;
    first.press("End").await;
    first.reads("Confirm it is you").await;
    first.type_in("Password", PASSWORD).await;
    first.press("Confirm").await;
    first.reads("Where you are logged in").await;
    first.press("End").await;
    first.says("That session is over.").await;
    first.says("You are logged in nowhere else.").await;

    second.press("Account").await;
    second.reads("Log in").await;
    assert_eq!(second.path().await, "/login?next=/account");

    first.press("Log out").await;
    first.reads("Log in").await;
    first.says("You are logged out.").await;
    first.back().await;
    first.reads("Log in").await;
    let shown = first.text().await;
    assert!(!shown.contains("Mary") && !shown.contains(EMAIL), "{shown}");
}

async fn log_in(chrome: &Chrome) {
    chrome.log_in(EMAIL, PASSWORD).await;
    chrome.reads("Hello, Mary Somerville").await;
}

/// The journey without JavaScript would prove nothing if it ran with it.
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
