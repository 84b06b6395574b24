//! An app whose responses do not end by themselves.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use latchkey::apps::{Access, AccessList, App, PathMatch, Rule, RulePath, RuleScope};
use latchkey::identity::GroupName;

use super::client::RawClient;
use crate::front::support::{User, Wiki, register};
use crate::support::app::TestApp;
use crate::support::process::eventually;
use crate::support::upstream::{After, Reads, Received, Upstream};

/// Longer than any buffer on the way.
pub const LARGE: usize = 1 << 30;

/// The app, and how many of its responses the front door has ended.
pub struct LastingApp {
    pub wiki: Wiki,
    ended: Arc<AtomicUsize>,
}

impl LastingApp {
    /// `/events` sends an event every 5 ms, `/download` sends 1 GiB, and everything else is never answered. `change`
    /// sets the rules.
    pub async fn register(app: &TestApp, change: impl FnOnce(&mut App)) -> Self {
        let ended = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ended);
        let upstream = Upstream::reading(Reads::HeadOnly, move |request, stream| {
            respond(request, stream);
            counted.fetch_add(1, Ordering::SeqCst);
            After::Close
        });
        Self { wiki: register(app, "wiki", upstream, change).await, ended }
    }

    /// An app that every user may open.
    pub async fn for_all(app: &TestApp) -> Self {
        Self::register(app, |app| app.rules = vec![Rule::everywhere(Access::SignedIn)]).await
    }

    /// A stream of events with the key of `user`, which has begun.
    pub async fn events(&self, user: &User, path: &str) -> RawClient {
        let client = RawClient::send(&self.wiki.origin, &user.at_app, &format!("GET {path}"), "").reading();
        client.answered(200).await;
        client.goes_on().await;
        client
    }

    /// Waits until the app has learned that this many of its clients are gone.
    pub async fn has_lost(&self, count: usize) {
        eventually("the app learns it", async || (self.ended.load(Ordering::SeqCst) >= count).then_some(()))
            .await;
    }
}

/// Returns when the front door has closed its end.
fn respond(request: &Received, stream: &mut TcpStream) {
    let target = request.target();
    if target.ends_with("/events") {
        let head =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut written = stream.write_all(head);
        while written.is_ok() {
            written = stream.write_all(b"9\r\ndata: .\n\n\r\n");
            thread::sleep(Duration::from_millis(5));
        }
        return;
    }
    if target.ends_with("/download") {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
        let (mut written, part) = (stream.write_all(head.as_bytes()), [0; 16 * 1024]);
        while written.is_ok() {
            written = stream.write_all(&part);
        }
        return;
    }
    let mut part = [0; 4096];
    while stream.read(&mut part).is_ok_and(|count| count > 0) {}
}

/// A rule for the members of `group` below `path`.
pub fn members_below(path: &str, group: &str) -> Rule {
    let groups = vec![GroupName::parse(group).expect("a name")];
    Rule {
        when: RuleScope {
            path: PathMatch::Below(RulePath::parse(path).expect("a path")),
            ..RuleScope::default()
        },
        ..Rule::everywhere(Access::Listed(AccessList { groups, ..AccessList::default() }))
    }
}
