//! What one request knows of its session: the bridge between the store, which actix-session calls with a
//! key alone, and the code around it, which actix-session gives a map alone.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::record::Kept;
use super::{Key, KeyHash, Live, Owner};
use latchkey_db::Fault;
use latchkey_db::time::Moment;

#[derive(Default)]
struct Carried {
    loaded: Option<Loaded>,
    key: Option<Key>,
    keep_for: Option<Duration>,
    lost: bool,
    fault: Option<Fault>,
}

/// A [`Live`] of whatever owner.
struct Loaded {
    kept: Arc<dyn Any + Send + Sync>,
    now: Moment,
}

tokio::task_local! {
    static CARRIED: RefCell<Carried>;
}

/// Middleware to wrap *outside* `SessionMiddleware`. Without it the store still works, but handlers can
/// neither see the record nor rotate the key.
pub async fn carry<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    carried(next.call(request)).await
}

/// The same around a future, for applications that have a middleware of their own out there.
pub fn carried<F: Future>(request: F) -> impl Future<Output = F::Output> {
    CARRIED.scope(RefCell::default(), request)
}

/// The session this request was made with, if it is live.
pub fn loaded<O: Owner>() -> Option<Live<O>> {
    with(|carried| {
        let Loaded { kept, now } = carried.loaded.as_ref()?;
        let kept: Arc<Kept<O>> = Arc::clone(kept).downcast().ok()?;
        Some(Live { kept, now: *now })
    })
}

/// Makes `key` (of a session opened or rotated in this request) the one the browser gets. The session
/// must also be marked changed, or actix-session does not ask the store.
/// `keep_for`: how long the browser shall keep it; `None` until it closes.
pub fn hand_over(key: Key, keep_for: Option<Duration>) {
    with(|carried| {
        carried.key = Some(key);
        carried.keep_for = keep_for;
    });
}

/// For how long the browser shall keep the key it is given with this answer.
pub fn keep_for() -> Option<Duration> {
    with(|carried| carried.keep_for)
}

/// Why the store failed in this request, if it did: actix-session itself only says "500".
pub fn take_fault() -> Option<Fault> {
    with(|carried| carried.fault.take())
}

pub(super) fn remember_loaded<O: Owner>(live: Live<O>, keep_for: Option<Duration>) {
    with(|carried| {
        carried.loaded = Some(Loaded { kept: live.kept, now: live.now });
        carried.keep_for = keep_for;
    });
}

pub(super) fn forget_loaded() {
    with(|carried| {
        carried.loaded = None;
        carried.keep_for = None;
    });
}

pub(super) fn take_key() -> Option<Key> {
    with(|carried| carried.key.take())
}

/// The hash of the key that was handed over and not yet taken.
pub(super) fn pending_key() -> Option<KeyHash> {
    with(|carried| carried.key.as_ref().map(Key::hash))
}

/// The session this request came with turned out dead when it was to be replaced.
pub(super) fn note_lost() {
    with(|carried| carried.lost |= carried.loaded.is_some());
}

pub(super) fn is_lost() -> bool {
    with(|carried| carried.lost)
}

pub(super) fn note_fault(fault: &Fault) {
    with(|carried| carried.fault = Some(fault.clone()));
}

/// Outside of [`carry`] there is nothing to know and nothing is kept.
fn with<T: Default>(look: impl FnOnce(&mut Carried) -> T) -> T {
    CARRIED.try_with(|carried| look(&mut carried.borrow_mut())).unwrap_or_default()
}
