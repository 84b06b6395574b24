//! The real program with two users and the apps of a test, and what every app has in common: it is listed on the home
//! page, and logging out at the portal closes it.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::front::support::{User, navigation};
use crate::history::simulation::unthrottled;
use crate::support::app::{Person, admit};
use crate::support::browser::Browser;
use crate::support::chrome::Chrome;
use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Running, eventually};
use crate::support::upstream::{After, Upstream};

pub struct FrontDoor {
    pub ada: Person,
    /// An administrator and the only editor.
    pub grace: Person,
    pub running: Running,
    latchkey: Latchkey,
    /// The program behind the app `board`.
    board: Upstream,
    dir: DataDir,
    _db: TestDb,
}

impl FrontDoor {
    /// With a second app beside the one that is tested.
    pub async fn start() -> Self {
        let db = TestDb::new();
        let ada = admit(&db, Person::ada(), "member").await;
        let grace = admit(&db, Person::grace(), "admin").await;
        let latchkey = unthrottled(&db.url());
        latchkey.run(&["group", "add", "editors"]).well();
        latchkey.run(&["group", "join", "editors", grace.email]).well();
        let running = latchkey.serve_ready().await;
        let board = Upstream::scripted(|request, stream| {
            let page = format!(
                "<!DOCTYPE html><title>Board</title><main><h1>Board of {}</h1></main>",
                request.values("remote-name").join(",")
            );
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
            After::KeepOpen
        });
        let door = Self { ada, grace, running, latchkey, board, dir: DataDir::new(), _db: db };
        door.register("board", door.board.port, "rules = [{ all = true, access = \"signed-in\" }]");
        door
    }

    /// Puts the program on `port` behind the log-in; `settings` are the further lines of the file of apps.
    pub fn register(&self, slug: &str, port: u16, settings: &str) {
        let origin = self.origin(slug);
        let text = format!(
            "[apps.{slug}]\nname = \"The {slug}\"\norigins = [\"{origin}\"]\n\
             upstream = \"http://127.0.0.1:{port}\"\n{settings}\n"
        );
        let file = self.dir.path().join("apps.toml");
        fs::write(&file, text).expect("a file");
        let ran = self.latchkey.run(&["app", "apply", &file.display().to_string()]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }

    /// Where users open the app.
    pub fn origin(&self, slug: &str) -> String {
        format!("http://{slug}.localhost:{}", self.latchkey.port)
    }

    pub async fn chrome(&self) -> Chrome {
        Chrome::open(&self.latchkey.origin()).await
    }

    /// A client that is logged in and inside the app.
    pub async fn inside(&self, slug: &str, person: &Person) -> User {
        let mut portal = Browser::new(&self.latchkey.origin());
        portal.log_in(person.email, person.password).await.redirects_to("/home");
        let mut at_app = Browser::new(&self.origin(slug));
        at_app.headers = navigation();
        let mut user = User { portal, at_app };
        user.enter("/").await.is(200);
        user
    }

    /// Ends all sessions of the user except a new one, as from another device. Returns when that is answered.
    pub async fn end_other_sessions(&self, person: &Person) {
        let mut elsewhere = Browser::new(&self.latchkey.origin());
        elsewhere.log_in(person.email, person.password).await.redirects_to("/home");
        elsewhere.get("/account/sessions").await.is(200);
        elsewhere.post("/account/sessions/revoke-others", &[]).await.is(303);
    }

    /// Opens a page of the app in the browser.
    pub async fn open(&self, chrome: &Chrome, slug: &str, path: &str) {
        chrome.client.goto(&format!("{}{path}", self.origin(slug))).await.expect("a page");
    }

    /// Opens the app as a visitor, logs in on the way, and returns when the browser has arrived.
    pub async fn log_in_on_the_way(&self, chrome: &Chrome, slug: &str, path: &str, person: &Person) {
        self.open(chrome, slug, path).await;
        chrome.is_at("login").await;
        chrome.log_in_here(person.email, person.password).await;
        self.arrives_at(chrome, slug).await;
    }

    async fn arrives_at(&self, chrome: &Chrome, slug: &str) {
        let origin = format!("{}/", self.origin(slug));
        eventually("the app's page", async || {
            let there = chrome.path().await;
            (there.starts_with(&origin) && !there.contains("/.latchkey/")).then_some(())
        })
        .await;
    }

    /// Every app is listed on the home page and opens from there without another log-in. Logging out at the portal
    /// closes all of them, also to a page that is still open.
    pub async fn is_one_of_two_apps(&self, chrome: &Chrome, slug: &str, person: &Person) {
        chrome.go("/home").await;
        chrome.waits_for("[data-app=board] a").await.click().await.expect("a click");
        self.arrives_at(chrome, "board").await;
        chrome.says(&format!("Board of {}", person.name)).await;
        chrome.go("/home").await;
        chrome.waits_for(&format!("[data-app={slug}] a")).await.click().await.expect("a click");
        self.arrives_at(chrome, slug).await;

        let page = chrome.client.window().await.expect("a window");
        let other = chrome.client.new_window(true).await.expect("a tab").handle;
        chrome.client.switch_to_window(other).await.expect("that tab");
        chrome.go("/home").await;
        chrome.press("Log out").await;
        chrome.is_at("login").await;
        chrome.client.switch_to_window(page).await.expect("the first tab");
        let refused = fetch(chrome, "/", json!({})).await;
        assert_eq!(refused["status"], 401, "{refused}");
        for app in [slug, "board"] {
            // Not a page that the browser may have kept.
            self.open(chrome, app, "/?after-log-out").await;
            chrome.is_at("login").await;
        }
    }
}

/// Sends a request from the page that is open, past the browser's cache: status, headers and text of the answer.
pub async fn fetch(chrome: &Chrome, url: &str, options: Value) -> Value {
    let script = "
        const [url, options, done] = arguments;
        fetch(url, { cache: 'no-store', ...options })
            .then(async (response) => done({
                status: response.status,
                headers: Object.fromEntries(response.headers),
                text: await response.text(),
            }))
            .catch((error) => done({ error: String(error) }));";
    chrome.run_async(script, vec![json!(url), options]).await
}

/// The text of such an answer.
#[track_caller]
pub fn text(answer: &Value, status: u16) -> &str {
    assert_eq!(answer["status"], status, "{answer}");
    answer["text"].as_str().expect("a text")
}
