//! Chromium: the events that scripts of an app get when access ends.

use std::io::Write as _;

use latchkey::apps::{Access, Rule};
use latchkey::identity::{Client, UserId};
use serde_json::{Value, json};

use crate::front::support::register;
use crate::support::app::TestApp;
use crate::support::chrome::Chrome;
use crate::support::upstream::{After, Upstream};
use crate::websockets::client::WebSocket;

/// Opens a websocket and records its events.
const OPEN: &str = "
    const done = arguments[0];
    window.socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
    window.socketClosed = new Promise(resolve => socket.onclose = event =>
        resolve({ code: event.code, reason: event.reason, clean: event.wasClean }));
    socket.onopen = () => socket.send('hello');
    socket.onmessage = event => done(event.data);
    socketClosed.then(done);";

const CLOSED: &str = "socketClosed.then(arguments[0])";

/// A page, and an echo.
fn page_with_socket() -> Upstream {
    Upstream::scripted(|request, stream| {
        if request.target() == "/socket" {
            WebSocket::accept(request, stream, "").echo();
            return After::Close;
        }
        let page =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 16\r\n\r\n<main>app</main>";
        let _ = stream.write_all(page);
        After::KeepOpen
    })
}

#[actix_web::test]
async fn a_script_sees_code_1008_when_the_session_ends_and_401_afterwards() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let wiki = register(&app, "wiki", page_with_socket(), |app| {
        app.rules = vec![Rule::everywhere(Access::SignedIn)];
    })
    .await;
    let chrome = Chrome::open(&app.origin).await;
    chrome.log_in(ada.email, ada.password).await;
    chrome.is_at("home").await;
    chrome.client.goto(&format!("{}/", wiki.origin)).await.expect("the app");
    assert_eq!(chrome.run_async(OPEN, vec![]).await, json!("hello"));
    app.accounts
        .admin
        .revoke_sessions_of(None, UserId(ada.id), Client::operator())
        .await
        .expect("a database");
    let closed = chrome.run_async(CLOSED, vec![]).await;
    assert_eq!(closed, json!({"code": 1008, "reason": "the session has ended", "clean": true}));
    // Another attempt is refused; scripts see only that.
    let refused: Value = chrome.run_async(OPEN, vec![]).await;
    assert_eq!(refused["code"], json!(1006));
}

#[actix_web::test]
async fn a_script_sees_code_1001_when_the_instance_stops() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let wiki = register(&app, "wiki", page_with_socket(), |app| {
        app.rules = vec![Rule::everywhere(Access::SignedIn)];
    })
    .await;
    let chrome = Chrome::open(&app.origin).await;
    chrome.log_in(ada.email, ada.password).await;
    chrome.is_at("home").await;
    chrome.client.goto(&format!("{}/", wiki.origin)).await.expect("the app");
    assert_eq!(chrome.run_async(OPEN, vec![]).await, json!("hello"));
    app.stop().await;
    let closed = chrome.run_async(CLOSED, vec![]).await;
    assert_eq!((&closed["code"], &closed["clean"]), (&json!(1001), &json!(true)));
}
