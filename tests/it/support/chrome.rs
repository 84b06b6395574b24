//! A real browser: Chromium through WebDriver. Elements are found by their visible text and their labels.

use std::env;
use std::fs;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};
use uuid::Uuid;

/// Two busy cores start a browser within a few seconds; every other wait is shorter.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    /// Applies the page's viewport, as phones do.
    pub mobile: bool,
}

pub const DESKTOP: Screen = Screen { width: 1280, height: 900, mobile: false };
pub const PHONE: Screen = Screen { width: 360, height: 740, mobile: true };
/// The width of a 1280 px window at 400 % (WCAG 2.2, 1.4.10).
pub const ZOOMED: Screen = Screen { width: 320, height: 256, mobile: false };

/// One browser with its own profile; it ends with this value, also if the test panics.
pub struct Chrome {
    pub client: Client,
    origin: String,
    _driver: Driver,
}

impl Chrome {
    pub async fn open(origin: &str) -> Self {
        Self::start(origin, true).await
    }

    pub async fn without_javascript(origin: &str) -> Self {
        Self::start(origin, false).await
    }

    async fn start(origin: &str, javascript: bool) -> Self {
        let mut driver = Driver::start();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(driver.capabilities(javascript))
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        driver.session = client.session_id().await.expect("a session").expect("its id");
        let pid = client.capabilities().and_then(|all| all.get("goog:processID")).and_then(Value::as_i64);
        driver.browser = pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let chrome = Self { client, origin: origin.to_owned(), _driver: driver };
        chrome.resize(DESKTOP).await;
        chrome
    }

    /// Sets the layout viewport to exactly this size.
    pub async fn resize(&self, Screen { width, height, mobile }: Screen) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub async fn set_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", media).await;
    }

    /// A command of the DevTools protocol.
    pub async fn cdp(&self, cmd: &str, params: Value) {
        self.client.issue_cmd(Cdp(json!({"cmd": cmd, "params": params}))).await.expect("a DevTools command");
    }

    /// Adds a virtual authenticator that responds at once to every request (WebAuthn Level 3, §11).
    pub async fn add_authenticator(&self) -> String {
        let device = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserConsenting": true,
            "isUserVerified": true,
        });
        let id = self.webauthn(Method::POST, "authenticator", Some(device)).await;
        id.as_str().expect("the id of an authenticator").to_owned()
    }

    /// Sets whether user verification (PIN, fingerprint or face) succeeds from now on.
    pub async fn set_user_verified(&self, authenticator: &str, verified: bool) {
        let path = format!("authenticator/{authenticator}/uv");
        self.webauthn(Method::POST, &path, Some(json!({ "isUserVerified": verified }))).await;
    }

    /// The passkeys on the device.
    pub async fn credentials(&self, authenticator: &str) -> Vec<Value> {
        let path = format!("authenticator/{authenticator}/credentials");
        match self.webauthn(Method::GET, &path, None).await {
            Value::Array(credentials) => credentials,
            other => panic!("no list of passkeys: {other}"),
        }
    }

    /// Copies a passkey onto a device.
    pub async fn add_credential(&self, authenticator: &str, credential: Value) {
        let path = format!("authenticator/{authenticator}/credential");
        self.webauthn(Method::POST, &path, Some(credential)).await;
    }

    async fn webauthn(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let command = WebAuthn { method, path: path.to_owned(), body };
        self.client.issue_cmd(command).await.expect("a WebAuthn command")
    }

    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.expect("a page");
    }

    /// Path and query of the current page.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("an address");
        url.as_str().strip_prefix(&self.origin).unwrap_or(url.as_str()).to_owned()
    }

    /// Waits for a page with this template.
    pub async fn is_at(&self, template: &str) {
        self.find("page", template, &format!("//main[@data-page={}]", quoted(template))).await;
    }

    /// Waits for an element with this code: see `src/web/copy`.
    pub async fn shows(&self, attribute: &str, code: &str) {
        self.find(attribute, code, &format!("//main//*[@{attribute}={}]", quoted(code))).await;
    }

    /// Waits for a page of Latchkey on the host of an app, with this code.
    pub async fn shows_on_main(&self, attribute: &str, code: &str) {
        self.find(attribute, code, &format!("//main[@{attribute}={}]", quoted(code))).await;
    }

    /// The names of the cookies that the browser would send to `origin`, sorted.
    pub async fn cookies(&self, origin: &str) -> Vec<String> {
        let command = Cdp(json!({"cmd": "Network.getCookies", "params": {"urls": [origin]}}));
        let answer = self.client.issue_cmd(command).await.expect("a DevTools command");
        let cookies = answer["cookies"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> =
            cookies.iter().filter_map(|cookie| cookie["name"].as_str().map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// Waits for this text, anywhere on the page.
    pub async fn says(&self, words: &str) {
        self.find("text", words, &format!("//main//*[contains(normalize-space(), {})]", quoted(words))).await;
    }

    /// Clicks the link or button with this text.
    pub async fn press(&self, text: &str) {
        let text_is = format!("[normalize-space()={0} or normalize-space(text()[1])={0}]", quoted(text));
        let path = format!(
            "(//a|//button|//summary)[not(@aria-hidden)]{text_is}[not(ancestor::details[not(@open)]) or self::summary]"
        );
        let found = self.find("link or button", text, &path).await;
        found.click().await.unwrap_or_else(|error| panic!("{text:?} cannot be clicked: {error}"));
    }

    /// Types into the field with this label, after its current value.
    pub async fn type_in(&self, label: &str, text: &str) {
        self.field(label).await.send_keys(text).await.expect("typing");
    }

    pub async fn field(&self, label: &str) -> Element {
        let path = format!("//*[@id=//label[normalize-space()={}]/@for]", quoted(label));
        self.find("field", label, &path).await
    }

    /// The value of the field with this label.
    pub async fn typed(&self, label: &str) -> String {
        self.field(label).await.prop("value").await.expect("a value").unwrap_or_default()
    }

    async fn find(&self, kind: &str, name: &str, path: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path)).await {
            Ok(found) => found,
            Err(error) => {
                panic!("no {kind} {name:?} on {}: {error}\n{}", self.path().await, self.text().await)
            }
        }
    }

    /// The visible text.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    pub async fn back(&self) {
        self.client.back().await.expect("a page before");
    }

    /// Presses keys without a target element, as a keyboard does.
    pub async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something focused");
        focused.send_keys(keys).await.expect("typing");
    }

    /// Runs `script`, which may `return`, outside of the page's content security policy.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, for a script that answers by calling its last argument.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Submits the form with this `action` and these values, without the browser's validation.
    pub async fn submit(&self, action: &str, fields: &[(&str, &str)]) {
        let script = "
            const [action, fields] = arguments;
            const form = [...document.forms].find(form => form.getAttribute('action') === action);
            for (const [name, value] of fields) {
                const field = form.elements[name];
                if (field.type === 'checkbox') field.checked = true;
                else field.value = value;
            }
            form.noValidate = true;
            form.requestSubmit(fields.some(([name]) => name === 'show') ? form.elements.show : null);";
        self.run(script, vec![json!(action), json!(fields)]).await;
    }

    pub async fn waits_for(&self, selector: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await {
            Ok(found) => found,
            Err(error) => panic!("no {selector:?} on {}: {error}\n{}", self.path().await, self.text().await),
        }
    }

    pub async fn log_in(&self, email: &str, password: &str) {
        self.go("/login").await;
        self.log_in_here(email, password).await;
    }

    /// Fills in the log-in form of the current page.
    pub async fn log_in_here(&self, email: &str, password: &str) {
        self.type_in("Email", email).await;
        self.type_in("Password", password).await;
        self.press("Log in").await;
    }
}

fn quoted(text: &str) -> String {
    let mark = if text.contains('"') { '\'' } else { '"' };
    format!("{mark}{text}{mark}")
}

#[derive(Debug)]
struct Cdp(Value);

impl WebDriverCompatibleCommand for Cdp {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

/// A command of WebDriver's extension for virtual authenticators.
#[derive(Debug)]
struct WebAuthn {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for WebAuthn {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/webauthn/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(Value::to_string))
    }
}

/// The chromedriver of one browser.
struct Driver {
    process: Child,
    port: u16,
    session: String,
    browser: Option<Pid>,
    profile: PathBuf,
}

impl Driver {
    fn start() -> Self {
        let program = on_path(&["chromedriver"])
            .unwrap_or_else(|| panic!("chromedriver is missing: run bin/test, which installs it"));
        // chromedriver takes a port that is free on IPv4 or IPv6 and then needs it on both: another process may have
        // the other.
        let (process, port) =
            (0..5).find_map(|_| Self::try_start(&program)).expect("chromedriver finds a port");
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chrome-{}", Uuid::new_v4()));
        Self { process, port, session: String::new(), browser: None, profile }
    }

    fn try_start(program: &Path) -> Option<(Child, u16)> {
        let mut process = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let said = process.stdout.take().expect("its output");
        match port(BufReader::new(said)) {
            Some(port) => Some((process, port)),
            None => {
                process.wait().expect("its end");
                None
            }
        }
    }

    fn capabilities(&self, javascript: bool) -> Capabilities {
        let mut options = json!({
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                format!("--user-data-dir={}", self.profile.display()),
            ],
            "prefs": {
                "credentials_enable_service": false,
                "profile.managed_default_content_settings.javascript": if javascript { 1 } else { 2 },
            },
        });
        // On other systems chromedriver finds Chrome by itself.
        if let Some(chromium) = on_path(&["chromium", "chromium-browser"]) {
            options["binary"] = json!(chromium);
        }
        Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
    }

    /// Ends the browser, and returns when it is gone. Without a runtime, because the test's may have ended.
    fn close(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "DELETE /session/{} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
            self.session, self.port
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b"200"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let closed = self.close().unwrap_or(false);
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(browser) = self.browser.filter(|_| !closed) {
            let _ = kill(browser, Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The system chooses the port, so that two tests never choose the same one.
fn port(said: impl io::BufRead) -> Option<u16> {
    said.lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).chain([PathBuf::from("/usr/bin")]).collect();
    names.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))).find(|file| file.is_file())
}
