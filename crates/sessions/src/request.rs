//! The state of a session within one request. actix-session passes the store only a key, and passes a handler only a
//! map; this task-local state connects the two.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use actix_session::{Session, SessionInsertError};
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpRequest};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

use super::record::CachedSession;
use super::{Key, KeyHash, LiveSession, Owner, Principal};

/// The key under which actix-identity keeps the principal in the map. The table has a column for it.
pub(crate) const IDENTITY_KEY: &str = "actix_identity.user_id";

#[derive(Default)]
struct RequestSlot {
    /// The session key that the application has already looked up.
    looked_up: Option<KeyHash>,
    loaded: Option<Loaded>,
    issued: Option<Key>,
    key_lifetime: Option<Duration>,
    lost: bool,
    /// The application has ended the session itself.
    ended: bool,
    fault: Option<Fault>,
}

/// A [`LiveSession`] of any owner.
struct Loaded {
    cached: Arc<dyn Any + Send + Sync>,
    now: Moment,
}

tokio::task_local! {
    static SLOT: RefCell<RequestSlot>;
}

/// Middleware, to be wrapped *outside* `SessionMiddleware`. Without it the store works, but handlers can neither see
/// the session's record nor issue a key.
///
/// # Errors
/// Those of the service.
pub async fn middleware<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    scope(next.call(request)).await
}

/// The same around a future, for applications that have their own middleware in that place.
pub fn scope<F: Future>(request: F) -> impl Future<Output = F::Output> {
    SLOT.scope(RefCell::default(), request)
}

/// The same for an application that has already looked the session up with [`Store::find_by_cookie`]: the store answers
/// actix-session's first `load` of `raw` with `live` and asks neither the cache nor the database.
///
/// ```no_run
/// use actix_web::body::MessageBody;
/// use actix_web::dev::{ServiceRequest, ServiceResponse};
/// use actix_web::error::ErrorServiceUnavailable;
/// use actix_web::middleware::Next;
/// use actix_web::web::Data;
/// use latchkey_sessions::{Store, request};
///
/// /// Middleware that looks the session up once, outside of `SessionMiddleware`.
/// async fn look_up<B: MessageBody>(
///     http: ServiceRequest,
///     next: Next<B>,
/// ) -> Result<ServiceResponse<B>, actix_web::Error> {
///     # fn key_in_the_cookie(_: &ServiceRequest) -> String { String::new() }
///     let key = key_in_the_cookie(&http);
///     let store = http.app_data::<Data<Store>>().expect("a store").clone();
///     let live = store.find_by_cookie(&key).await.map_err(ErrorServiceUnavailable)?;
///     // … put `live` into the request, for guards …
///     request::scope_with(&key, live, next.call(http)).await
/// }
/// ```
///
/// [`Store::find_by_cookie`]: super::Store::find_by_cookie
pub fn scope_with<O: Owner, F: Future>(
    raw: &str,
    live: Option<LiveSession<O>>,
    request: F,
) -> impl Future<Output = F::Output> {
    let slot = RequestSlot {
        looked_up: KeyHash::of(raw),
        loaded: live.map(|live| Loaded { cached: live.cached, now: live.now }),
        ..RequestSlot::default()
    };
    SLOT.scope(RefCell::new(slot), request)
}

/// The session with which this request was made, if it is live. `O` must be the owner of the store that loaded it.
///
/// ```
/// use std::time::Duration;
/// use latchkey_sessions::request;
///
/// fn may_change_password() -> bool {
///     request::loaded::<()>().is_some_and(|live| live.confirmed_within(Duration::from_secs(600)))
/// }
/// assert!(!may_change_password(), "outside of a request no session is loaded");
/// ```
pub fn loaded<O: Owner>() -> Option<LiveSession<O>> {
    with(|slot| {
        let Loaded { cached, now } = slot.loaded.as_ref()?;
        let cached: Arc<CachedSession<O>> = Arc::clone(cached).downcast().ok()?;
        Some(LiveSession { cached, now: *now })
    })
}

/// The argument of a handler that needs a session: the result of [`loaded`], or 401.
///
/// ```
/// use latchkey_sessions::request::Current;
///
/// async fn who_am_i(Current(me): Current<()>) -> String {
///     me.record.principal.to_string()
/// }
/// ```
pub struct Current<O>(
    /// The session of the request.
    pub LiveSession<O>,
);

impl<O: Owner> FromRequest for Current<O> {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(loaded().map(Self).ok_or_else(|| ErrorUnauthorized("log in first")))
    }
}

/// Gives the browser `key`, of a session that was opened or rotated in this request. When actix-session saves at the
/// end of the request, the store returns this key instead of creating one. actix-session asks the store only if the
/// session is also marked as changed. `lifetime`: how long the browser keeps the key; `None`: until it closes.
pub fn issue_key(key: Key, lifetime: Option<Duration>) {
    with(|slot| {
        slot.issued = Some(key);
        slot.key_lifetime = lifetime;
    });
}

/// Gives the browser `key`, of a session of `principal` that was opened in this request, and drops what it had before:
/// the session's map is emptied, and the session with which the browser was still logged in ends.
///
/// # Errors
/// Those of `Session::insert`.
pub fn log_in(
    session: &Session,
    principal: Principal,
    key: Key,
    lifetime: Option<Duration>,
) -> Result<(), SessionInsertError> {
    session.clear();
    session.insert(IDENTITY_KEY, principal.0)?;
    session.renew();
    issue_key(key, lifetime);
    Ok(())
}

/// Gives the browser `key`, the new key of the session of this request. It keeps the key for as long as it kept the old
/// one.
pub fn rotated(session: &Session, key: Key) {
    issue_key(key, key_lifetime());
    // Removing a missing entry only marks the session as changed, so that actix-session asks for the key.
    session.remove("unused");
}

/// The application has ended the session of this request itself, in its own transaction. The store then does not end it
/// a second time for `Session::purge` or `Identity::logout`, which remove the key from the browser.
pub fn session_ended() {
    with(|slot| slot.ended = true);
}

/// How long the browser keeps the key of this response; `None`: until it closes.
pub fn key_lifetime() -> Option<Duration> {
    with(|slot| slot.key_lifetime)
}

/// Why the store failed in this request, if it did: actix-session itself only returns status 500. For a middleware
/// outside of `SessionMiddleware`:
///
/// ```no_run
/// use actix_web::body::MessageBody;
/// use actix_web::dev::{ServiceRequest, ServiceResponse};
/// use actix_web::error::ErrorServiceUnavailable;
/// use actix_web::middleware::Next;
/// use latchkey_sessions::{Fault, request};
///
/// async fn tell_faults<B: MessageBody>(
///     http: ServiceRequest,
///     next: Next<B>,
/// ) -> Result<ServiceResponse<B>, actix_web::Error> {
///     next.call(http).await.map_err(|error| match request::take_fault() {
///         Some(fault @ Fault::Unavailable(_)) => ErrorServiceUnavailable(fault),
///         _ => error,
///     })
/// }
/// ```
pub fn take_fault() -> Option<Fault> {
    with(|slot| slot.fault.take())
}

/// Whether [`scope_with`] was given the session of this key; `true` only once.
pub(super) fn take_looked_up(key: &KeyHash) -> bool {
    with(|slot| slot.looked_up.take_if(|looked_up| looked_up == key).is_some())
}

pub(super) fn set_loaded<O: Owner>(live: LiveSession<O>, key_lifetime: Option<Duration>) {
    with(|slot| {
        slot.loaded = Some(Loaded { cached: live.cached, now: live.now });
        slot.key_lifetime = key_lifetime;
    });
}

pub(super) fn clear_loaded() {
    with(|slot| {
        slot.loaded = None;
        slot.key_lifetime = None;
    });
}

pub(super) fn take_issued_key() -> Option<Key> {
    with(|slot| slot.issued.take())
}

/// The hash of the issued key, until actix-session has taken the key.
pub(super) fn issued_key() -> Option<KeyHash> {
    with(|slot| slot.issued.as_ref().map(Key::hash))
}

/// Whether the application has ended the session itself.
pub(super) fn is_ended() -> bool {
    with(|slot| slot.ended)
}

/// The session of this request had ended when it was to be replaced.
pub(super) fn note_lost() {
    with(|slot| slot.lost |= slot.loaded.is_some());
}

pub(super) fn is_lost() -> bool {
    with(|slot| slot.lost)
}

pub(super) fn note_fault(fault: &Fault) {
    with(|slot| slot.fault = Some(fault.clone()));
}

/// Outside the middleware nothing is known and nothing is stored.
fn with<T: Default>(look: impl FnOnce(&mut RequestSlot) -> T) -> T {
    SLOT.try_with(|slot| look(&mut slot.borrow_mut())).unwrap_or_default()
}
