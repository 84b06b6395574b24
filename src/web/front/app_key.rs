//! The two cookies on the origin of an app: the app key, and the state of a handoff.
//!
//! The key's cookie also holds two MACs. One covers the key, so that a forged key never reaches the database. The other
//! covers key and user: it shows whether the key belonged to another user, without naming that user. If it did, the
//! data that the previous user's pages left in this browser is cleared. A dead key has no row that would tell.

use actix_web::cookie::{Cookie, time};
use actix_web::http::header::HeaderMap;
use latchkey_sessions::Key;

use crate::apps::AppOrigin;
use crate::identity::UserId;
use crate::secret::{self, Secret};
use crate::web::http::cookies;
use crate::web::streams::Credential;

/// How long a browser may take from the app to the portal and back (ten minutes to log in).
pub const STATE_MAX_AGE: time::Duration = time::Duration::minutes(10);

/// A state of 128 bits, in Base64.
const STATE_CHARS: usize = 22;

/// A key of 256 bits, in Base64.
const KEY_CHARS: usize = 43;

/// The purposes of the MACs.
const KEY: &str = "app-key";
const OWNER: &str = "app-key-owner";
const CODE: &str = "app-entry";

/// Names of the cookies on the origin of an app, with `__Host-` where the origin allows it (RFC 6265bis §4.1.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppCookieNames {
    pub key: &'static str,
    pub state: &'static str,
}

impl AppCookieNames {
    pub fn on(origin: &AppOrigin) -> Self {
        if origin.is_https() {
            Self { key: "__Host-latchkey-app", state: "__Host-latchkey-state" }
        } else {
            Self { key: "latchkey-app", state: "latchkey-state" }
        }
    }
}

/// A key that we made, live or not.
pub struct PresentedAppKey {
    text: String,
}

impl PresentedAppKey {
    pub fn of(headers: &HeaderMap, origin: &AppOrigin, secret: &Secret) -> Option<Self> {
        let text = cookies::value(headers, AppCookieNames::on(origin).key)?.into_owned();
        let mut parts = text.split('.');
        let (key, mac) = (parts.next()?, parts.next()?);
        let is_ours = key.len() == KEY_CHARS && secret.signed(KEY, &[key.as_bytes()], mac);
        is_ours.then_some(Self { text })
    }

    /// The key itself.
    pub fn key(&self) -> &str {
        self.text.split('.').next().unwrap_or_default()
    }

    pub fn credential(&self) -> Credential {
        Credential::AppKey(self.key().into())
    }

    /// Whether it was issued to `user`.
    pub fn is_of(&self, secret: &Secret, user: UserId) -> bool {
        let tag = self.text.split('.').nth(2).unwrap_or_default();
        secret.signed(OWNER, &[self.key().as_bytes(), user.0.as_bytes()], tag)
    }
}

/// The cookie for a new key. `keep_for`: `None` keeps it until the browser closes.
pub fn key_cookie(
    secret: &Secret,
    origin: &AppOrigin,
    key: &Key,
    user: UserId,
    keep_for: Option<std::time::Duration>,
) -> Cookie<'static> {
    let key = key.reveal();
    let mac = secret::encode(&secret.mac(KEY, &[key.as_bytes()]));
    let owner = secret::encode(&secret.mac(OWNER, &[key.as_bytes(), user.0.as_bytes()]));
    let cookie = host_cookie(origin, AppCookieNames::on(origin).key, format!("{key}.{mac}.{owner}"));
    cookies::kept_for(cookie, keep_for)
}

/// `code` with a MAC, for the query of `/.latchkey/enter`: a made-up code never reaches the database.
pub fn signed_code(secret: &Secret, origin: &AppOrigin, code: &str) -> String {
    let mac = secret.mac(CODE, &[code.as_bytes(), origin.to_string().as_bytes()]);
    format!("{code}.{}", secret::encode(&mac))
}

/// The code that was signed for this origin.
pub fn verified_code<'c>(secret: &Secret, origin: &AppOrigin, signed: &'c str) -> Option<&'c str> {
    let (code, mac) = signed.split_once('.')?;
    secret.signed(CODE, &[code.as_bytes(), origin.to_string().as_bytes()], mac).then_some(code)
}

/// The state of this browser, if it has a valid one.
pub fn state(headers: &HeaderMap, origin: &AppOrigin) -> Option<String> {
    let state = cookies::value(headers, AppCookieNames::on(origin).state)?;
    let is_ours = state.len() == STATE_CHARS && secret::decode::<16>(&state).is_some();
    is_ours.then(|| state.into_owned())
}

pub fn new_state() -> Result<String, getrandom::Error> {
    secret::random::<16>().map(|bytes| secret::encode(&bytes))
}

pub fn state_cookie(origin: &AppOrigin, state: &str) -> Cookie<'static> {
    let mut cookie = host_cookie(origin, AppCookieNames::on(origin).state, state.to_owned());
    cookie.set_max_age(STATE_MAX_AGE);
    cookie
}

/// Removes the key from the browser.
pub fn removal(origin: &AppOrigin) -> Cookie<'static> {
    let mut cookie = host_cookie(origin, AppCookieNames::on(origin).key, String::new());
    cookie.make_removal();
    cookie
}

fn host_cookie(origin: &AppOrigin, name: &'static str, value: String) -> Cookie<'static> {
    cookies::for_host(name.to_owned(), value, origin.is_https()).finish()
}
