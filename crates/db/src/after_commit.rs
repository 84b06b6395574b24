//! What is to happen once the transaction under way is committed, and not at all if it is undone.
//!
//! A transaction of [`Db::write`](super::Db::write) runs on one thread from beginning to end, so the thread knows which
//! one is under way.

use std::cell::RefCell;

use diesel::pg::PgConnection;

type Action = Box<dyn FnOnce()>;

thread_local! {
    /// `None` while no transaction of ours runs on this thread.
    static WAITING: RefCell<Option<Vec<Action>>> = const { RefCell::new(None) };
}

/// Runs `action` when the transaction on `_conn` is committed. Outside of [`Db::write`](super::Db::write) there is no
/// commit of ours to wait for, so it runs at once.
pub fn run(_conn: &mut PgConnection, action: impl FnOnce() + 'static) {
    let action: Action = Box::new(action);
    let at_once = WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.push(action);
            None
        }
        None => Some(action),
    });
    if let Some(action) = at_once {
        action();
    }
}

/// The actions of one transaction.
pub(super) struct Waiting(Vec<Action>);

impl Waiting {
    pub fn run(self) {
        self.0.into_iter().for_each(|action| action());
    }
}

/// Runs `work` and returns the actions that it left for after the commit.
pub(super) fn collect<T>(work: impl FnOnce() -> T) -> (T, Waiting) {
    /// Also when `work` panics: the thread goes on to other transactions.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            WAITING.take();
        }
    }
    let reset = Reset;
    WAITING.set(Some(Vec::new()));
    let value = work();
    let waiting = WAITING.take().unwrap_or_default();
    drop(reset);
    (value, Waiting(waiting))
}
