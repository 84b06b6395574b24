//! The two cookies on the origin of an app: the app key, and the state of a handoff.
//!
//! The key's cookie also contains a tag that identifies the user without naming them. When another user enters the app
//! in the same browser, Latchkey clears what the first user left there. The row of an ended key cannot be used for
//! this, because it is deleted.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::HeaderMap;
use latchkey_sessions::Key;

use crate::apps::AppOrigin;
use crate::identity::UserId;
use crate::secret::{self, Secret};
use crate::web::http::cookies;

/// How long a browser may take from the app to the portal and back (ten minutes to log in).
pub const STATE_MAX_AGE: time::Duration = time::Duration::minutes(10);

/// A state of 128 bits, in Base64.
const STATE_CHARS: usize = 22;

/// A key of 256 bits, in Base64.
const KEY_CHARS: usize = 43;

const OWNER: &str = "app-key-owner";

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

/// The content of the key's cookie.
pub struct PresentedAppKey {
    text: String,
}

impl PresentedAppKey {
    pub fn of(headers: &HeaderMap, origin: &AppOrigin) -> Option<Self> {
        let text = cookies::value(headers, AppCookieNames::on(origin).key)?.into_owned();
        (text.len() >= KEY_CHARS && text.is_ascii()).then_some(Self { text })
    }

    /// The key itself, valid or not.
    pub fn key(&self) -> &str {
        &self.text[..KEY_CHARS]
    }

    /// Whether it was given to `user`.
    pub fn is_of(&self, secret: &Secret, user: UserId) -> bool {
        let tag = self.text[KEY_CHARS..].strip_prefix('.').unwrap_or_default();
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
    let tag = secret::encode(&secret.mac(OWNER, &[key.as_bytes(), user.0.as_bytes()]));
    let mut cookie = host_cookie(origin, AppCookieNames::on(origin).key, format!("{key}.{tag}"));
    if let Some(keep_for) = keep_for {
        cookie.set_max_age(time::Duration::try_from(keep_for).unwrap_or(time::Duration::MAX));
    }
    cookie
}

/// The handoff state of this browser, if it has a valid one.
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
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .secure(origin.is_https())
        .same_site(SameSite::Lax)
        .finish()
}
