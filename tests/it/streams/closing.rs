//! Every way to lose access ends the responses and uploads that are in progress.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use actix_web::rt::time::sleep;
use latchkey::apps::{Access, Rule};
use latchkey::identity::{Client, GroupName, UserId};

use super::client::{End, RawClient, text};
use super::support::{LARGE, LastingApp, members_below};
use crate::front::support::{User, register};
use crate::support::app::{Person, TestApp};
use crate::support::process::eventually;
use crate::support::upstream::{After, Reads, Upstream};

/// The ways to lose access to an app.
#[derive(Clone, Copy, Debug)]
enum Way {
    EndsOtherSessions,
    LogsOut,
    ChangesPassword,
    IsDisabled,
    AdministratorEndsSessions,
    LeavesGroup,
    RuleChanges,
    AppDisabled,
    AppRemoved,
    LeavesApp,
    SessionExpires,
}

const WAYS: [Way; 11] = [
    Way::EndsOtherSessions,
    Way::LogsOut,
    Way::ChangesPassword,
    Way::IsDisabled,
    Way::AdministratorEndsSessions,
    Way::LeavesGroup,
    Way::RuleChanges,
    Way::AppDisabled,
    Way::AppRemoved,
    Way::LeavesApp,
    Way::SessionExpires,
];

impl Way {
    async fn happens(self, app: &TestApp, ada: &Person, user: &mut User) {
        let (id, client) = (UserId(ada.id), Client::operator);
        let staff = GroupName::parse("staff").unwrap();
        match self {
            Self::EndsOtherSessions => {
                let mut other = app.logged_in(ada).await;
                other.get("/account/sessions").await;
                other.post("/account/sessions/revoke-others", &[]).await.is(303);
            }
            Self::LogsOut => {
                user.portal.get("/home").await;
                user.portal.post("/logout", &[]).await.is(303);
            }
            Self::ChangesPassword => {
                let mut other = app.logged_in(ada).await;
                let fields = [("current_password", ada.password), ("password", "analytical-engine-1837")];
                other.fill_in("/account/password", &fields).await.is(303);
            }
            Self::IsDisabled => app.accounts.admin.disable(None, id, client()).await.unwrap(),
            Self::AdministratorEndsSessions => {
                app.accounts.admin.revoke_sessions_of(None, id, client()).await.unwrap();
            }
            Self::LeavesGroup => {
                assert!(app.accounts.groups.leave(None, &staff, id, client()).await.unwrap());
            }
            Self::RuleChanges => {
                change(app, |app| app.rules = vec![members_below("/elsewhere", "staff")]).await;
            }
            Self::AppDisabled => change(app, |app| app.enabled = false).await,
            Self::AppRemoved => {
                let wiki = app.accounts.apps.find("wiki").await.unwrap().unwrap();
                app.accounts.apps.remove(None, wiki.id, client()).await.unwrap();
            }
            Self::LeavesApp => {
                let page = user.at_app.get("/.latchkey/out").await;
                let token = page.attribute("input[name=token]", "value").expect("a token");
                user.at_app.headers = vec![("sec-fetch-site", "same-origin".to_owned())];
                user.at_app.post_bare("/.latchkey/out", &[("token", &token)]).await.is(200);
            }
            Self::SessionExpires => {
                app.db.execute("UPDATE sessions SET expires_at = now() + interval '300 milliseconds'");
            }
        }
    }
}

async fn change(app: &TestApp, change: impl FnOnce(&mut latchkey::apps::App)) {
    let before = app.accounts.apps.find("wiki").await.unwrap().unwrap();
    let mut after = before.clone();
    change(&mut after);
    app.accounts.apps.change(None, before, after, Client::operator()).await.unwrap();
}

#[actix_web::test]
async fn every_way_to_lose_access_cuts_an_event_stream_an_unread_download_and_an_unanswered_post() {
    for way in WAYS {
        let app = TestApp::spawn();
        let staff = GroupName::parse("staff").unwrap();
        app.accounts.groups.add(None, staff.clone(), "", Client::operator()).await.unwrap();
        let lasting = LastingApp::register(&app, |app| app.rules = vec![members_below("/", "staff")]).await;
        let ada = app.ada().await;
        app.accounts.groups.join(None, &staff, UserId(ada.id), Client::operator()).await.unwrap();
        let mut user = User::with_key(&app, &lasting.wiki, &ada).await;
        let (origin, at_app) = (lasting.wiki.origin.clone(), user.at_app.copy());
        let events = lasting.events(&user, "/events").await;
        let stalled = RawClient::send(&origin, &at_app, "GET /download", "");
        let waiting = RawClient::send(&origin, &at_app, "POST /slow", "content-length: 4\r\n").reading();
        assert!(waiting.write(b"body"));
        lasting.wiki.upstream.wait_for(3);
        // The download fills every buffer on its way.
        sleep(Duration::from_millis(300)).await;
        way.happens(&app, &ada, &mut user).await;
        assert_eq!(events.ended().await, End::Reset, "{way:?}");
        assert!(!events.bytes().ends_with(b"0\r\n\r\n"), "{way:?}: it looks complete");
        assert_eq!(waiting.ended().await, End::Reset, "{way:?}");
        assert!(waiting.bytes().is_empty(), "{way:?}: {}", text(&waiting.bytes()));
        lasting.has_lost(3).await;
        let (read, end) = stalled.drained();
        assert_eq!(end, End::Reset, "{way:?}");
        assert!(read < 300 * 1024, "{way:?}: {read} bytes after the end");
    }
}

#[actix_web::test]
async fn a_visitor_is_cut_when_the_rule_is_no_longer_open() {
    let app = TestApp::spawn();
    let lasting = LastingApp::register(&app, |app| app.rules = vec![Rule::everywhere(Access::Open)]).await;
    let visitor = User::new(&app, &lasting.wiki);
    let events = lasting.events(&visitor, "/events").await;
    change(&app, |app| app.rules = vec![Rule::everywhere(Access::SignedIn)]).await;
    assert_eq!(events.ended().await, End::Reset);
    lasting.has_lost(1).await;
}

#[actix_web::test]
async fn an_upload_stops_in_the_middle_when_the_session_is_ended() {
    let app = TestApp::spawn();
    let lasting = LastingApp::for_all(&app).await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &lasting.wiki, &ada).await;
    let headers = format!("content-length: {LARGE}\r\n");
    let upload = RawClient::send(&lasting.wiki.origin, &user.at_app, "POST /upload", &headers).reading();
    assert!(upload.write(&[0; 64 * 1024]));
    lasting.wiki.upstream.wait_for(1);
    app.accounts.admin.revoke_sessions_of(None, UserId(ada.id), Client::operator()).await.unwrap();
    assert_eq!(upload.ended().await, End::Reset);
    lasting.has_lost(1).await;
}

#[actix_web::test]
async fn the_part_of_an_upload_that_the_kernel_still_holds_does_not_reach_the_app() {
    const BODY: usize = 1_500_000;
    let (sender, receiver) = mpsc::channel();
    let (sender, reads) = (Mutex::new(sender), Arc::new(AtomicBool::new(false)));
    let may_read = Arc::clone(&reads);
    let upstream = Upstream::reading(Reads::HeadOnly, move |_, stream| {
        while !may_read.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let mut body = Vec::new();
        let has_failed = stream.read_to_end(&mut body).is_err();
        let _ = sender.lock().expect("one script").send((body.len(), has_failed));
        After::Close
    });
    let app = TestApp::spawn();
    let rules = vec![Rule::everywhere(Access::SignedIn)];
    let wiki = register(&app, "wiki", upstream, |app| app.rules = rules).await;
    let ada = app.ada().await;
    let user = User::with_key(&app, &wiki, &ada).await;
    let headers = format!("content-length: {BODY}\r\n");
    let client = RawClient::send(&wiki.origin, &user.at_app, "POST /upload", &headers).reading();
    let client = Arc::new(client);
    let writer = Arc::clone(&client);
    thread::spawn(move || writer.write(&vec![b'x'; BODY]));
    eventually("the upload begins", async || wiki.upstream.received().last().cloned()).await;
    sleep(Duration::from_millis(500)).await;
    app.accounts.admin.revoke_sessions_of(None, UserId(ada.id), Client::operator()).await.unwrap();
    assert_eq!(client.ended().await, End::Reset);
    sleep(Duration::from_millis(200)).await;
    reads.store(true, Ordering::SeqCst);
    let (count, has_failed) = receiver.recv_timeout(Duration::from_secs(10)).expect("the end of the upload");
    assert!(has_failed && count < BODY, "{count} bytes, failed: {has_failed}");
}
