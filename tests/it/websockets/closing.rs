//! The end of an open websocket: its causes, and the Close frame or reset that each side gets.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use latchkey::apps::{Access, App, Rule};
use latchkey::identity::{Client, UserId};

use super::support::{open_at, origin_header};
use crate::front::support::{User, Wiki, register};
use crate::proxy::harness::End;
use crate::support::app::{Person, TestApp};
use crate::support::upstream::Upstream;
use crate::websockets::client::{Frame, WebSocket, websocket_app};

/// The last frame that the app received.
type AppEnd = (Option<u16>, End, Instant);

/// `/echo` sends messages back; `/half-frame` sends the beginning of a frame, `/half-message` the beginning of a
/// message; `/flood` sends frames of 1 MB for as long as it can. Each says how it ended.
fn app_with_ends() -> (Upstream, Receiver<AppEnd>) {
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = websocket_app(move |request, socket| {
        match request.target() {
            "/half-frame" => {
                socket.send_bytes(&Frame::binary(vec![1; 1000]).bytes(false)[..500]);
            }
            "/half-message" => {
                socket.send(&Frame::first_part("to be "));
            }
            "/flood" => while socket.send(&Frame::binary(vec![1; 1 << 20])) {},
            _ => {}
        }
        let mut code = None;
        let end = loop {
            match socket.read() {
                Ok(frame) if frame.close_code().is_some() => code = frame.close_code(),
                Ok(frame) => {
                    socket.send(&frame);
                }
                Err(end) => break end,
            }
        };
        let _ = sender.lock().expect("one script").send((code, end, Instant::now()));
    });
    (upstream, ends)
}

struct Opened {
    app: TestApp,
    wiki: Wiki,
    ada: Person,
    user: User,
    ends: Receiver<AppEnd>,
}

impl Opened {
    async fn new(change: impl FnOnce(&mut App)) -> Self {
        let app = TestApp::spawn();
        let (upstream, ends) = app_with_ends();
        let wiki = register(&app, "wiki", upstream, |app| {
            app.rules = vec![Rule::everywhere(Access::SignedIn)];
            change(app);
        })
        .await;
        let ada = app.ada().await;
        let user = User::with_key(&app, &wiki, &ada).await;
        Self { app, wiki, ada, user, ends }
    }

    fn open(&self, path: &str) -> WebSocket {
        let opened = open_at(&self.wiki, &self.user, path, &origin_header(&self.wiki));
        opened.unwrap_or_else(|answer| panic!("{answer:?}"))
    }

    /// An echo that works.
    fn echo(&self) -> WebSocket {
        let mut socket = self.open("/echo");
        socket.send(&Frame::text("hello"));
        assert_eq!(socket.read(), Ok(Frame::text("hello")));
        socket
    }

    async fn revoke(&self) {
        let ada = UserId(self.ada.id);
        self.app.accounts.admin.revoke_sessions_of(None, ada, Client::operator()).await.expect("a database");
    }

    fn app_end(&self) -> AppEnd {
        self.ends.recv_timeout(Duration::from_secs(10)).expect("the app is told")
    }
}

#[actix_web::test]
async fn an_ended_session_closes_its_idle_websocket_with_1008() {
    let opened = Opened::new(|_| {}).await;
    let mut socket = opened.echo();
    opened.revoke().await;
    let answered = Instant::now();
    // Nothing is passed on any more, in either direction.
    socket.send(&Frame::text("after it"));
    assert_eq!(socket.read(), Ok(Frame::close(1008, "the session has ended")));
    assert_eq!(socket.read(), Err(End::Closed));
    assert!(answered.elapsed() < Duration::from_millis(500), "{:?}", answered.elapsed());
    let (code, end, told) = opened.app_end();
    assert_eq!((code, end), (Some(1008), End::Closed), "the app is told in order");
    assert!(told < answered + Duration::from_millis(500));
}

#[actix_web::test]
async fn the_app_chooses_the_code() {
    let opened = Opened::new(|app| app.close_code = 4403).await;
    let mut socket = opened.echo();
    opened.revoke().await;
    assert_eq!(socket.read().map(|frame| frame.close_code()), Ok(Some(4403)));
}

#[actix_web::test]
async fn a_client_that_does_not_answer_the_close_is_cut_after_a_second() {
    let opened = Opened::new(|_| {}).await;
    let mut socket = opened.echo();
    opened.revoke().await;
    assert_eq!(socket.read().map(|frame| frame.close_code()), Ok(Some(1008)));
    thread::sleep(Duration::from_millis(1500));
    // The connection is gone: the first write is answered with a reset.
    socket.send(&Frame::text("hello?"));
    thread::sleep(Duration::from_millis(50));
    assert!(!socket.send(&Frame::text("hello?")));
}

#[actix_web::test]
async fn a_close_is_sent_within_a_message_but_not_within_a_frame() {
    let opened = Opened::new(|_| {}).await;
    let mut message = opened.open("/half-message");
    assert_eq!(message.read(), Ok(Frame::first_part("to be ")));
    let mut frame = opened.open("/half-frame");
    let mut part = [0; 500];
    std::io::Read::read_exact(&mut frame.stream, &mut part).expect("half of a frame");
    opened.revoke().await;
    assert_eq!(message.read().map(|frame| frame.close_code()), Ok(Some(1008)));
    assert_eq!(message.end(), End::Closed);
    assert_eq!(frame.read(), Err(End::Reset), "a frame of ours would be read as part of the app's");
    for _ in 0..2 {
        opened.app_end();
    }
}

#[actix_web::test]
async fn a_client_that_has_stopped_reading_is_cut() {
    let opened = Opened::new(|_| {}).await;
    let mut flooded = opened.open("/flood");
    actix_web::rt::time::sleep(Duration::from_millis(500)).await;
    opened.revoke().await;
    let (_, _, _) = opened.app_end();
    let mut part = vec![0; 64 * 1024];
    let mut count = 0;
    let end = loop {
        match std::io::Read::read(&mut flooded.stream, &mut part) {
            Ok(0) => break End::Closed,
            Ok(read) => count += read,
            Err(_) => break End::Reset,
        }
    };
    assert_eq!(end, End::Reset);
    // What the kernel of the client had before.
    assert!(count < 8 << 20, "{count} bytes");
}

#[actix_web::test]
async fn changes_that_do_not_concern_the_session_leave_its_websockets_open() {
    let opened = Opened::new(|_| {}).await;
    let mut socket = opened.echo();
    let mut elsewhere = opened.app.logged_in(&opened.ada).await;
    elsewhere.fill_in("/account/profile", &[("name", "Ada King")]).await.is(303);
    elsewhere.get("/home").await;
    elsewhere.post("/logout", &[]).await.is(303);
    for round in 0..3 {
        let message = Frame::text(&format!("round {round}"));
        let sent = Instant::now();
        socket.send(&message);
        assert_eq!(socket.read(), Ok(message));
        assert!(sent.elapsed() < Duration::from_millis(250), "{:?}", sent.elapsed());
    }
}

#[actix_web::test]
async fn a_rule_that_no_longer_admits_it_closes_a_websocket() {
    let opened = Opened::new(|_| {}).await;
    let mut socket = opened.echo();
    let apps = &opened.app.accounts.apps;
    let before = apps.find("wiki").await.expect("a database").expect("the app");
    let after = App { enabled: false, ..before.clone() };
    apps.change(None, before, after, Client::operator()).await.expect("a change");
    assert_eq!(socket.read(), Ok(Frame::close(1008, "access has ended")));
    assert_eq!(socket.end(), End::Closed);
    let refused = open_at(&opened.wiki, &opened.user, "/echo", &origin_header(&opened.wiki)).err();
    assert_eq!(refused.map(|answer| answer.status()), Some(403));
}

#[actix_web::test]
async fn a_stopping_instance_says_so_and_ends_within_two_seconds() {
    let opened = Opened::new(|_| {}).await;
    let mut socket = opened.echo();
    let idle = opened.echo();
    let begun = Instant::now();
    let reading = thread::spawn(move || {
        let closed = (socket.read(), socket.read());
        (closed, Instant::now())
    });
    opened.app.stop().await;
    let (closed, told) = reading.join().expect("no panic");
    assert_eq!(closed, (Ok(Frame::close(1001, "the server is stopping")), Err(End::Closed)));
    assert!(told - begun < Duration::from_secs(2), "{:?}", told - begun);
    for _ in 0..2 {
        let (code, _, told) = opened.app_end();
        assert_eq!(code, Some(1001));
        assert!(told - begun < Duration::from_secs(2));
    }
    drop(idle);
}
