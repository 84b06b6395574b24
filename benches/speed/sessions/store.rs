//! The session store alone: what each call costs, one at a time and eight at a time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_session::storage::{SessionKey, SessionStore as _};
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::rt::System;
use futures_util::future::join_all;
use latchkey::identity::User;
use latchkey_sessions::{Key, NewSession, Policy, Principal, Store};
use uuid::Uuid;

use crate::environment::Environment;
use crate::report::Report;

const SLICE: Duration = Duration::from_millis(700);
const CONCURRENCY: [usize; 2] = [1, 8];
const DAY: CookieDuration = CookieDuration::days(1);

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    environment.insert_other_sessions(10_000);
    System::new().block_on(async {
        let bench = Bench::new(&environment).await;
        for _ in 0..report.rounds() {
            for concurrency in CONCURRENCY {
                bench.round(report, concurrency).await;
            }
        }
    });
}

struct Bench {
    plain: Store<()>,
    bare: Store<()>,
    whole: Store<User>,
    principal: Principal,
    /// One for each task, so that no two tasks wait for the same row.
    keys: Vec<SessionKey>,
}

impl Bench {
    async fn new(environment: &Environment) -> Self {
        let db = environment.db(8);
        // Every load and every log-in must do the same work, however long the measurement takes.
        let policy = Policy { per_principal: i64::MAX, ..Policy::default() };
        let plain = Store::builder(db.clone()).owner().policy(policy).build();
        let principal = Principal(environment.create_user("ada@example.org").await);
        let (bare, whole) = (plain.clone(), Store::builder(db).owner::<User>().policy(policy).build());
        let mut keys = Vec::new();
        for _ in 0..8 {
            keys.push(bare.save(state(principal.0, 0), &DAY).await.unwrap());
        }
        Self { plain, bare, whole, principal, keys }
    }

    async fn round(&self, report: &mut Report, concurrency: usize) {
        let name = |what: &str| format!("{what}, {concurrency} at once");
        let key = |task: usize| &self.keys[task];
        report.note(
            &name("load"),
            "µs",
            per_call(concurrency, async |task, _| {
                assert!(self.bare.load(key(task)).await.unwrap().is_some());
            })
            .await,
        );
        report.note(
            &name("load with its user"),
            "µs",
            per_call(concurrency, async |task, _| {
                assert!(self.whole.load(key(task)).await.unwrap().is_some());
            })
            .await,
        );
        report.note(
            &name("touch (update_ttl)"),
            "µs",
            per_call(concurrency, async |task, _| {
                self.bare.update_ttl(key(task), &DAY).await.unwrap();
            })
            .await,
        );
        report.note(
            &name("change of state (update)"),
            "µs",
            per_call(concurrency, async |task, turn| {
                let clone = SessionKey::try_from(key(task).as_ref().to_owned()).unwrap();
                self.bare.update(clone, state(self.principal.0, turn), &DAY).await.unwrap();
            })
            .await,
        );
        // For other users: no user has ten thousand sessions.
        report.note(
            &name("log-in (save)"),
            "µs",
            per_call(concurrency, async |_, turn| {
                self.bare.save(state(Uuid::new_v4(), turn), &DAY).await.unwrap();
            })
            .await,
        );
        report.note(&name("rotate"), "µs", self.rotations(concurrency).await);
    }

    async fn rotations(&self, concurrency: usize) -> f64 {
        let mut keys = Vec::new();
        for _ in 0..concurrency {
            let (plain, login) = (self.plain.clone(), login(self.principal));
            let (key, _) = self.plain.write(move |change| plain.open(change, &login)).await.unwrap();
            keys.push(tokio::sync::Mutex::new(key));
        }
        per_call(concurrency, async |task, _| {
            let mut key: tokio::sync::MutexGuard<'_, Key> = keys[task].lock().await;
            let live = self.plain.find(&key).await.unwrap().unwrap();
            let plain = self.plain.clone();
            *key = self.plain.write(move |change| plain.rotate(change, &live, false)).await.unwrap().unwrap();
        })
        .await
    }
}

/// Microseconds for a call, as each of `concurrency` tasks sees it.
async fn per_call(concurrency: usize, call: impl AsyncFn(usize, usize)) -> f64 {
    let begun = Instant::now();
    let tasks = (0..concurrency).map(async |task| {
        let mut turn = 0;
        while begun.elapsed() < SLICE {
            call(task, turn).await;
            turn += 1;
        }
        turn
    });
    let calls: usize = join_all(tasks).await.into_iter().sum();
    begun.elapsed().as_secs_f64() * 1e6 * concurrency as f64 / calls as f64
}

fn state(principal: Uuid, turn: usize) -> HashMap<String, String> {
    HashMap::from([
        ("actix_identity.user_id".into(), format!("\"{principal}\"")),
        ("turn".into(), turn.to_string()),
    ])
}

fn login(principal: Principal) -> NewSession {
    NewSession {
        principal,
        remember: false,
        factor: "password".into(),
        address: "192.0.2.7".into(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        device: None,
    }
}
