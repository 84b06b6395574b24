//! Actions that wait for the commit of the current transaction, and are dropped if it is rolled back.
//!
//! A transaction of [`Db::write`](super::Db::write) runs on one thread from beginning to end, so a thread-local list
//! suffices.

use std::cell::RefCell;

use diesel::pg::PgConnection;

type Action = Box<dyn FnOnce()>;

thread_local! {
    /// `None` while no transaction of [`Db::write`](super::Db::write) runs on this thread.
    static WAITING: RefCell<Option<Vec<Action>>> = const { RefCell::new(None) };
}

/// Runs `action` when the transaction on `_conn` is committed. Outside of [`Db::write`](super::Db::write) there is no
/// commit to wait for, so it runs at once.
///
/// ```no_run
/// # async fn example(db: latchkey_db::Db) -> Result<(), latchkey_db::Fault> {
/// use latchkey_db::after_commit;
///
/// db.write(|conn| {
///     after_commit::run(conn, || println!("committed"));
///     Ok(())
/// })
/// .await
/// # }
/// ```
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
pub(crate) struct Waiting(Vec<Action>);

impl Waiting {
    pub(crate) fn run(self) {
        self.0.into_iter().for_each(|action| action());
    }
}

/// Runs `work` and returns the actions that it registered for after the commit.
pub(crate) fn collect<T>(work: impl FnOnce() -> T) -> (T, Waiting) {
    /// Also clears the list if `work` panics, because the thread goes on to run other transactions.
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
