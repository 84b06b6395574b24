//! Observers are notified of each change after the store has evicted it and before the change is answered.

use std::sync::{Arc, Mutex};

use latchkey_sessions::{Changes, Observer, Principal};

use super::instances::{Instance, principal_and_gate, warm};
use crate::support::TestDb;
use test_db::eventually;

/// Records each notification, and how much the store has cached at that time.
struct Diary {
    store: latchkey_sessions::Store<super::instances::Watched>,
    pages: Mutex<Vec<(Option<Vec<Principal>>, usize)>>,
}

impl Observer for Diary {
    fn invalidated(&self, changes: Changes<'_>) {
        let whose = match changes {
            Changes::Principals(principals) => Some(principals.to_vec()),
            Changes::Everything => None,
        };
        self.pages.lock().unwrap().push((whose, self.store.cached()));
    }
}

impl Diary {
    fn of(instance: &Instance) -> Arc<Self> {
        let diary = Arc::new(Self { store: instance.sessions.clone(), pages: Mutex::default() });
        instance.sessions.observe(diary.clone());
        diary
    }

    fn take(&self) -> Vec<(Option<Vec<Principal>>, usize)> {
        std::mem::take(&mut *self.pages.lock().unwrap())
    }
}

#[actix_web::test]
async fn an_observer_is_told_on_every_instance_before_the_revocation_is_answered() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let diaries = [&a, &b].map(Diary::of);
    let (ada, _) = principal_and_gate();
    for _ in 0..10 {
        let (key, handle) = a.open(ada).await;
        warm(&[&a, &b], &key).await;
        diaries.iter().for_each(|diary| drop(diary.take()));
        assert!(a.revoke(handle).await);
        for diary in &diaries {
            assert_eq!(diary.take(), [(Some(vec![ada]), 0)], "told once, when nothing was cached any more");
        }
    }
}

#[actix_web::test]
async fn an_observer_is_told_that_everything_may_have_changed() {
    let db = TestDb::new();
    let [a, b] = Instance::two(&db).await;
    let diary = Diary::of(&b);
    a.change("TRUNCATE sessions CASCADE").await;
    assert_eq!(diary.take(), [(None, 0)]);
    // A listener that connects again may have missed something.
    let ended = db.scalar::<bool>(&format!("SELECT pg_terminate_backend({})", b.backend(&db)));
    assert!(ended);
    eventually("the next connection", async || diary.take().contains(&(None, 0)).then_some(())).await;
}

#[actix_web::test]
async fn the_moment_of_the_lease_is_the_databases_time_and_ends_with_the_lease() {
    use diesel::connection::SimpleConnection as _;
    let db = TestDb::new();
    let [a, _] = Instance::two(&db).await;
    let before: time::OffsetDateTime = db.scalar("SELECT now()");
    eventually("a moment", async || {
        let moment = time::OffsetDateTime::from(a.sessions.lease_moment()?);
        ((moment - before).abs() < time::Duration::seconds(5)).then_some(())
    })
    .await;
    let mut other = db.connect();
    other.batch_execute("BEGIN; LOCK TABLE listeners IN SHARE MODE").unwrap();
    let ended = db.scalar::<bool>(&format!("SELECT pg_terminate_backend({})", a.backend(&db)));
    assert!(ended);
    a.distrusted().await;
    assert!(a.sessions.lease_moment().is_none());
}
