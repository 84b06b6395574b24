//! Latchkey with two apps in forward-auth mode, behind a real proxy with the configuration that Latchkey printed.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::rt::time::sleep;
use latchkey::apps::{
    Access, AccessList, App, AppMode, AppOrigin, IdentityHeaderName, IdentityHeaders, Slug,
};
use latchkey::apps::{PathMatch, Rule, RulePath};
use latchkey::identity::{Client, Role};

use super::program::ProxyProgram;
use crate::front::support::{User, Wiki, navigation};
use crate::front_check::program::Program;
use crate::proxy::harness::{Answer, Client as RawClient};
use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;
use crate::support::certificates::Certificates;
use crate::support::process::{Latchkey, free_port};
use crate::support::upstream::{After, Received, Upstream};

/// The key and the answer to it (RFC 6455 §1.3).
pub const SOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A site whose pages may send requests to the board.
pub const TRUSTED_SITE: &str = "https://partner.example.org";

pub struct Behind {
    pub program: ProxyProgram,
    pub app: TestApp,
    pub ada: Person,
    /// At two addresses: `docs.localhost`, and `wiki.localhost` with TLS.
    pub wiki: Wiki,
    /// With renamed identity headers.
    pub board: Wiki,
    pub http: u16,
    pub https: u16,
    pub certificates: Certificates,
    /// As Latchkey printed them.
    pub files: PathBuf,
    proxy: Mutex<Option<Program>>,
}

/// A page that says whose request it got. Accepts websockets, and closes them.
fn answers_with_its_user(request: &Received, stream: &mut dyn std::io::Write) -> After {
    if request.values("upgrade").iter().any(|value| value.eq_ignore_ascii_case("websocket")) {
        let _ = write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {SOCKET_ACCEPT}\r\n\r\n"
        );
        let _ = stream.write_all(b"\x81\x05hello");
        return After::Close;
    }
    let user = request.values("remote-name").join(",");
    let page = format!(
        "<!DOCTYPE html><title>Wiki</title><main data-page=\"{}\"><h1>Hello {user}</h1><form method=post action=/save><button>Save</button></form></main>",
        request.target()
    );
    let body = if request.method() == "HEAD" { "" } else { page.as_str() };
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: wiki_sid=1; Path=/\r\nContent-Length: {}\r\n\r\n{body}",
        page.len()
    );
    After::KeepOpen
}

fn below(path: &str, access: Access) -> Rule {
    let mut rule = Rule::everywhere(access);
    rule.when.path = PathMatch::Below(RulePath::parse(path).expect("a path"));
    rule
}

/// `/public` is open, `/admin` for administrators, `/dav` for tokens too, `/recent` for a recent proof, and the rest for
/// every user.
fn rules() -> Vec<Rule> {
    let admins = AccessList { role: Some(Role::Admin), ..AccessList::default() };
    vec![
        below("/public", Access::Open),
        below("/admin", Access::Listed(admins)),
        Rule { tokens: true, ..below("/dav", Access::SignedIn) },
        Rule { fresh: Some(Duration::from_secs(600)), ..below("/recent", Access::SignedIn) },
        Rule::everywhere(Access::SignedIn),
    ]
}

fn origin(text: &str) -> AppOrigin {
    AppOrigin::parse(text).expect("an origin")
}

fn forward_auth(slug: &str, origins: &[String]) -> App {
    let origins = origins.iter().map(|text| origin(text)).collect();
    let app = App::new(Slug::parse(slug).expect("a slug"), None, origins);
    App { mode: AppMode::ForwardAuth, rules: rules(), ..app }
}

impl Behind {
    pub async fn start(program: ProxyProgram) -> Self {
        let app = TestApp::spawn_with(|settings| settings.front.port = Some(0));
        let ada = app.ada().await;
        let (http, https) = (free_port(), free_port());
        let at = [format!("http://docs.localhost:{http}"), format!("https://wiki.localhost:{https}")];
        let board_at = format!("http://board.localhost:{http}");
        let name = |text| IdentityHeaderName::parse(text).expect("a name");
        let renamed = IdentityHeaders {
            user: name("X-Board-User"),
            email: name("X-Board-Email"),
            name: name("X-Board-Name"),
            groups: name("X-Board-Groups"),
        };
        let board_app = App {
            header_names: renamed,
            also_from: vec![origin(TRUSTED_SITE)],
            ..forward_auth("team-board", std::slice::from_ref(&board_at))
        };
        for app_to_add in [forward_auth("wiki", &at), board_app] {
            app.accounts.apps.add(None, app_to_add, Client::operator()).await.expect("an app");
        }
        let upstream = || Upstream::scripted(|request, stream| answers_with_its_user(request, stream));
        let behind = Self {
            program,
            ada,
            wiki: Wiki { origin: at[0].clone(), upstream: upstream() },
            board: Wiki { origin: board_at, upstream: upstream() },
            http,
            https,
            certificates: Certificates::new(),
            files: PathBuf::new(),
            proxy: Mutex::default(),
            app,
        };
        behind.carry(|_| {}).await
    }

    /// Starts the proxy with what Latchkey prints for the two apps.
    ///
    /// * `change`: changes the text of the configuration before the start.
    pub async fn carry(mut self, change: impl FnOnce(&mut String)) -> Self {
        let kind = self.program.kind();
        let files = self.print();
        let file = files.join(main_file(kind.as_str()));
        let mut text = fs::read_to_string(&file).expect("the configuration");
        change(&mut text);
        fs::write(&file, text).expect("the configuration");
        // Ends the one that runs, because the ports are the same.
        drop(self.proxy.lock().expect("no panic").take());
        let program = self.program;
        let proxy = Program::at(self.http, |dir| {
            let mut command = program.command(&files, &file);
            command.current_dir(dir.path());
            command
        })
        .await;
        self.proxy = Mutex::new(Some(proxy));
        self.files = files;
        // Traefik listens before it has read its routes.
        for _ in 0..100 {
            if ![0, 404].contains(&self.get("docs.localhost", "/.latchkey/in", &[]).status()) {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self
    }

    /// Has `latchkey app config` write the files.
    fn print(&self) -> PathBuf {
        let kind = self.program.kind();
        let files = self.certificates.file(&format!("{}-{}", kind.as_str(), free_port()));
        fs::create_dir(&files).expect("a directory");
        let (certificate, key) = (self.certificates.file("right.pem"), self.certificates.file("right.key"));
        let both = files.join("both.pem");
        let read = |path: &PathBuf| fs::read_to_string(path).expect("a certificate");
        fs::write(&both, read(&certificate) + &read(&key)).expect("a file");
        let certificate = if kind.as_str() == "haproxy" { both } else { certificate };
        let here = files.display().to_string();
        let ran = Latchkey::on(&self.app.db.url()).run(&[
            "app",
            "config",
            "--proxy",
            kind.as_str(),
            "--latchkey",
            &format!("127.0.0.1:{}", self.app.decisions),
            "--upstream",
            &format!("wiki={}", self.wiki.upstream.url()),
            "--upstream",
            &format!("team-board={}", self.board.upstream.url()),
            "--certificate",
            &certificate.display().to_string(),
            "--key",
            &key.display().to_string(),
            "--directory",
            &here,
            "--write",
            &here,
        ]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        files
    }

    /// What the proxy has written.
    pub fn log(&self) -> String {
        self.proxy.lock().expect("no panic").as_ref().map(Program::log).unwrap_or_default()
    }

    /// A client that is logged in and inside the wiki.
    pub async fn inside(&self, wiki: &Wiki) -> User {
        let mut at_app = Browser::new(&wiki.origin);
        at_app.headers = navigation();
        let mut user = User { portal: self.app.logged_in(&self.ada).await, at_app };
        user.enter("/").await.is(200);
        user
    }

    /// Sends the bytes on a connection of their own and reads until the end.
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = RawClient::connect(self.http);
        client.send(bytes);
        // HAProxy tries for some seconds to reach a server that does not answer.
        client.read_for(Duration::from_secs(15), Duration::from_secs(2))
    }

    /// A GET request with further header lines, after whose response the connection ends.
    pub fn get(&self, host: &str, path: &str, headers: &[&str]) -> Answer {
        self.ask(self.head("GET", host, path, headers))
    }

    /// The head of a request.
    pub fn head(&self, method: &str, host: &str, path: &str, headers: &[&str]) -> String {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let port = self.http;
        format!("{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{headers}\r\n")
    }
}

/// The cookies of a browser as a header line.
pub fn cookie_line(browser: &Browser) -> String {
    let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("Cookie: theme=dark; {}; last=1", pairs.join("; "))
}

fn main_file(kind: &str) -> &'static str {
    match kind {
        "nginx" => "nginx.conf",
        "caddy" => "Caddyfile",
        "traefik" => "traefik.yml",
        "haproxy" => "haproxy.cfg",
        _ => "envoy.yaml",
    }
}
