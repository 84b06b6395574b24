//! Long-lasting requests that were admitted with an access token.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use futures_util::future::join_all;
use latchkey::apps::{App, Rule};
use latchkey::identity::{Client, GroupName, UserId};
use latchkey::tokens::CreatedToken;
use tokio::sync::Barrier;

use super::client::{End, RawClient, text};
use super::support::{LARGE, LastingApp, members_below};
use crate::front::tokens::bearer;
use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;
use crate::support::process::eventually;
use crate::websockets::client::{Frame, WebSocket, websocket_app};

/// What ends access with a token.
#[derive(Clone, Copy, Debug)]
enum Way {
    IsRevoked,
    IsRevokedByTheOperator,
    Expires,
    UserIsDisabled,
    LeavesGroup,
    RuleLosesTokens,
    RuleAsksForMore,
    AppDisabled,
    AppRemoved,
}

const WAYS: [Way; 9] = [
    Way::IsRevoked,
    Way::IsRevokedByTheOperator,
    Way::Expires,
    Way::UserIsDisabled,
    Way::LeavesGroup,
    Way::RuleLosesTokens,
    Way::RuleAsksForMore,
    Way::AppDisabled,
    Way::AppRemoved,
];

fn staff() -> GroupName {
    GroupName::parse("staff").expect("a name")
}

/// For the members of the group, also with a token.
fn rules(app: &mut App) {
    app.rules = vec![Rule { tokens: true, ..members_below("/", "staff") }];
}

impl Way {
    async fn happens(self, app: &TestApp, ada: &Person, token: &CreatedToken) {
        let (ada, client) = (UserId(ada.id), Client::operator);
        let (accounts, id) = (&app.accounts, token.record.id);
        match self {
            Self::IsRevoked => {
                assert!(accounts.tokens.revoke_own(ada, id, client()).await.unwrap().is_some());
            }
            Self::IsRevokedByTheOperator => {
                assert!(accounts.tokens.revoke(None, id, client()).await.unwrap().is_some());
            }
            // The token was created with a short lifetime.
            Self::Expires => {}
            Self::UserIsDisabled => accounts.admin.disable(None, ada, client()).await.unwrap(),
            Self::LeavesGroup => {
                assert!(accounts.groups.leave(None, &staff(), ada, client()).await.unwrap());
            }
            Self::RuleLosesTokens => change(app, |app| app.rules[0].tokens = false).await,
            Self::RuleAsksForMore => {
                change(app, |app| app.rules[0].fresh = Some(Duration::from_secs(600))).await
            }
            Self::AppDisabled => change(app, |app| app.enabled = false).await,
            Self::AppRemoved => {
                let wiki = accounts.apps.find("wiki").await.unwrap().unwrap();
                accounts.apps.remove(None, wiki.id, client()).await.unwrap();
            }
        }
    }
}

async fn change(app: &TestApp, change: impl FnOnce(&mut App)) {
    let before = app.accounts.apps.find("wiki").await.unwrap().unwrap();
    let mut after = before.clone();
    change(&mut after);
    app.accounts.apps.change(None, before, after, Client::operator()).await.unwrap();
}

struct Scene {
    app: TestApp,
    other: TestApp,
    lasting: LastingApp,
    ada: Person,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::spawn();
        let other = app.beside(|_| {});
        app.accounts.groups.add(None, staff(), "", Client::operator()).await.unwrap();
        let lasting = LastingApp::register(&app, rules).await;
        let ada = app.ada().await;
        app.accounts.groups.join(None, &staff(), UserId(ada.id), Client::operator()).await.unwrap();
        Self { app, other, lasting, ada }
    }

    /// The app's origin at each of the two instances.
    fn origins(&self) -> [String; 2] {
        let port = self.other.origin.rsplit(':').next().expect("a port");
        [self.lasting.wiki.origin.clone(), format!("http://wiki.localhost:{port}")]
    }

    fn send(&self, origin: &str, token: &CreatedToken, line: &str, headers: &str) -> RawClient {
        let headers = format!("authorization: {}\r\n{headers}", bearer(token));
        RawClient::send(origin, &Browser::new(origin), line, &headers)
    }

    async fn events(&self, origin: &str, token: &CreatedToken) -> RawClient {
        let stream = self.send(origin, token, "GET /events", "").reading();
        stream.answered(200).await;
        stream.goes_on().await;
        stream
    }
}

#[actix_web::test]
async fn every_way_to_lose_access_with_a_token_cuts_its_requests_on_every_instance() {
    for way in WAYS {
        let scene = Scene::new().await;
        let token = scene.app.token(&scene.ada, &["app:wiki"]).await;
        if matches!(way, Way::Expires) {
            scene.app.db.execute("UPDATE tokens SET expires_at = now() + interval '6 seconds'");
            scene.app.accounts.sessions().wait_until_invalidated().await;
        }
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for origin in scene.origins() {
            read.push(scene.events(&origin, &token).await);
            unread.push(scene.send(&origin, &token, "GET /download", ""));
            let waiting = scene.send(&origin, &token, "POST /slow", "content-length: 4\r\n").reading();
            assert!(waiting.write(b"body"));
            read.push(waiting);
        }
        scene.lasting.wiki.upstream.wait_for(6);
        // The downloads fill every buffer on their way.
        sleep(Duration::from_millis(300)).await;
        way.happens(&scene.app, &scene.ada, &token).await;
        for stream in &read {
            assert_eq!(stream.ended().await, End::Reset, "{way:?}");
            assert!(!stream.bytes().ends_with(b"0\r\n\r\n"), "{way:?}: it looks complete");
        }
        scene.lasting.has_lost(6).await;
        for stream in &unread {
            let (count, end) = stream.drained();
            assert_eq!(end, End::Reset, "{way:?}");
            assert!(count < 300 * 1024, "{way:?}: {count} bytes after the end");
        }
    }
}

#[actix_web::test]
async fn an_upload_with_a_token_stops_in_the_middle_when_the_token_is_revoked() {
    let scene = Scene::new().await;
    let token = scene.app.token(&scene.ada, &["app:wiki"]).await;
    let headers = format!("content-length: {LARGE}\r\n");
    let uploads =
        scene.origins().map(|origin| scene.send(&origin, &token, "PUT /upload", &headers).reading());
    assert!(uploads.iter().all(|upload| upload.write(&[0; 64 * 1024])));
    scene.lasting.wiki.upstream.wait_for(2);
    Way::IsRevoked.happens(&scene.app, &scene.ada, &token).await;
    for upload in &uploads {
        assert_eq!(upload.ended().await, End::Reset);
    }
    scene.lasting.has_lost(2).await;
}

#[actix_web::test]
async fn what_concerns_only_sessions_or_other_tokens_does_not_end_the_streams_of_a_token() {
    let scene = Scene::new().await;
    let (app, ada) = (&scene.app, UserId(scene.ada.id));
    let token = app.token(&scene.ada, &["app:wiki"]).await;
    let other = app.token(&scene.ada, &["app:wiki"]).await;
    let [here, there] = scene.origins();
    let streams = [scene.events(&here, &token).await, scene.events(&there, &token).await];
    let go_on = async || {
        for stream in &streams {
            stream.goes_on().await;
        }
    };
    let mut browser = app.logged_in(&scene.ada).await;
    go_on().await;
    browser.get("/home").await;
    browser.post("/logout", &[]).await.is(303);
    go_on().await;
    app.accounts.tokens.revoke_own(ada, other.record.id, Client::operator()).await.unwrap();
    go_on().await;
    change(app, |app| app.name = "Our wiki".to_owned()).await;
    go_on().await;
    app.accounts.sessions().wait_until_invalidated().await;
    go_on().await;
    assert!(streams.iter().all(|stream| stream.has_ended().is_none()));
}

#[actix_web::test]
async fn no_stream_is_alive_after_a_token_was_revoked_while_it_was_opened() {
    let scene = Scene::new().await;
    let origins = scene.origins();
    for round in 0..12 {
        let token = scene.app.token(&scene.ada, &["app:wiki"]).await;
        let start = Arc::new(Barrier::new(2));
        let revoking = {
            let (start, tokens) = (Arc::clone(&start), scene.app.accounts.tokens.clone());
            let (ada, id) = (UserId(scene.ada.id), token.record.id);
            async move {
                start.wait().await;
                sleep(Duration::from_micros(300 * round)).await;
                tokens.revoke_own(ada, id, Client::operator()).await.unwrap();
            }
        };
        let opening = async {
            start.wait().await;
            let mut opened = Vec::new();
            for at in 0..12 {
                opened.push(scene.send(&origins[at % 2], &token, "GET /events", "").reading());
                sleep(Duration::from_micros(200)).await;
            }
            opened
        };
        let ((), opened) = futures_util::future::join(revoking, opening).await;
        join_all(opened.iter().map(|stream| async {
            let refused = async || stream.bytes().starts_with(b"HTTP/1.1 401 ").then_some(());
            let cut = async || (stream.has_ended() == Some(End::Reset)).then_some(());
            eventually("an end", async || refused().await.or(cut().await)).await;
        }))
        .await;
    }
}

#[actix_web::test]
async fn a_websocket_opened_with_a_token_is_closed_when_the_token_is_revoked() {
    let app = TestApp::spawn();
    let other = app.beside(|_| {});
    let wiki =
        crate::front::support::register(&app, "wiki", websocket_app(|_, socket| socket.echo()), |app| {
            app.rules = vec![Rule { tokens: true, ..Rule::everywhere(latchkey::apps::Access::SignedIn) }];
        })
        .await;
    let ada = app.ada().await;
    let token = app.token(&ada, &["app:wiki"]).await;
    let mut sockets = Vec::new();
    for instance in [&app, &other] {
        let port = instance.origin.rsplit(':').next().expect("a port");
        let headers = format!("Authorization: {}\r\n", bearer(&token));
        let host = format!("wiki.localhost:{port}");
        let opened = WebSocket::open(port.parse().expect("a port"), &host, "/socket", &headers);
        let mut socket = opened.unwrap_or_else(|answer| panic!("{answer:?}"));
        socket.send(&Frame::text("hello"));
        assert_eq!(socket.read(), Ok(Frame::text("hello")));
        sockets.push(socket);
    }
    for request in wiki.upstream.received() {
        let handshake = text(format!("{:?}", request.headers).as_bytes());
        assert!(request.values("authorization").is_empty() && !handshake.contains("lk_"), "{handshake}");
    }
    app.accounts.tokens.revoke_own(UserId(ada.id), token.record.id, Client::operator()).await.unwrap();
    for socket in &mut sockets {
        assert_eq!(socket.read().map(|frame| frame.close_code()), Ok(Some(1008)));
    }
}
