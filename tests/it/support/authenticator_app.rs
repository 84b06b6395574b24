//! An authenticator app, and users who have one. It implements RFC 6238 independently of the program.

use diesel::connection::SimpleConnection as _;
use futures_util::future::join;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::app::{Person, TestApp};
use super::browser::Browser;
use super::process::eventually;

pub struct AuthenticatorApp {
    seed: Vec<u8>,
}

impl AuthenticatorApp {
    /// From the key as the page shows it.
    pub fn with_key(key: &str) -> Self {
        let mut bits = String::new();
        for letter in key.chars().filter(|c| !c.is_whitespace()) {
            let five = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).expect("base32");
            bits += &format!("{five:05b}");
        }
        let bytes = bits.as_bytes().chunks_exact(8);
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).expect("bits"), 2);
        Self { seed: bytes.map(|bits| byte(bits).expect("a byte")).collect() }
    }

    pub fn code(&self, step: i64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.seed).expect("any length");
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[at..at + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// Six digits that are not a code of the current minutes.
    pub fn wrong_code(&self, app: &TestApp) -> String {
        let near: Vec<String> = (-3..=3).map(|offset| self.code(app.step() + offset)).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).expect("one of a million")
    }

    pub fn seed(&self) -> &[u8] {
        &self.seed
    }
}

impl TestApp {
    /// Opens a connection for each of `requests`, so that all of them can wait for the same row.
    pub fn spawn_wide(requests: u32) -> Self {
        Self::spawn_with(|settings| settings.pool.pool_size = requests + 2)
    }

    /// Locks the row of `person` until this many requests wait for it in the database, then releases it.
    pub async fn all_at_once<T>(
        &self,
        person: &Person,
        requests: i64,
        answers: impl Future<Output = T>,
    ) -> T {
        let mut in_the_way = self.db.connect();
        let hold = format!("BEGIN; SELECT FROM users WHERE id = '{}' FOR UPDATE", person.id);
        in_the_way.batch_execute(&hold).expect("the row");
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock'";
        let release = async {
            let all = async || (self.db.scalar::<i64>(waiting) == requests).then_some(());
            eventually("everybody at the same row", all).await;
            in_the_way.batch_execute("COMMIT").expect("a release");
        };
        join(answers, release).await.0
    }

    /// The current time step by the database's clock. Its codes are valid for one step longer.
    pub fn step(&self) -> i64 {
        self.db.scalar("SELECT floor(extract(epoch FROM clock_timestamp()) / 30)::bigint")
    }

    /// As if the last code had been used several minutes ago.
    pub fn age_codes(&self) {
        self.db.execute("UPDATE totp SET last_step = last_step - 10");
    }

    /// The code that the app shows now, not yet used.
    pub fn fresh_code(&self, authenticator: &AuthenticatorApp) -> String {
        self.age_codes();
        authenticator.code(self.step())
    }

    /// Sets an authenticator app up, and returns its recovery codes as well.
    pub async fn enrol(&self, browser: &mut Browser) -> (AuthenticatorApp, Vec<String>) {
        browser.get("/account/security").await.is(200);
        let shown = browser.post("/account/totp/start", &[]).await;
        let authenticator = AuthenticatorApp::with_key(&shown.is(200).text("#key .code").expect("a key"));
        let code = authenticator.code(self.step());
        let answer = browser.post("/account/totp/finish", &[("code", &code)]).await;
        answer.is(200);
        let codes = answer.html();
        let items = scraper::Selector::parse(".codes li").expect("a selector");
        let codes = codes.select(&items).map(|item| item.text().collect()).collect();
        self.age_codes();
        (authenticator, codes)
    }

    /// A browser with a pending log-in: the password was entered, the second factor was not.
    pub async fn pending(&self, person: &Person) -> Browser {
        let mut browser = self.browser();
        browser.log_in(person.email, person.password).await.redirects_to("/login/second-factor");
        browser.get("/login/second-factor").await.is(200);
        browser
    }
}
