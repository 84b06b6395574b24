//! Under load on three instances, sessions are revoked in every way there is. Lookups that start after the answer must
//! find no session, or its new role: counts how often that fails.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::rt::{System, spawn};
use latchkey::identity::{Role, User, UserId};
use latchkey_sessions::{Key, LiveSession};
use uuid::Uuid;

use super::instances::{Instance, client};
use crate::environment::Environment;
use crate::report::Report;

/// Trials of each of the six revocations.
const TRIALS: usize = 60;

/// Clients of each instance that send lookups without pause.
const CLIENTS: usize = 4;

/// One browser, and whether it must be refused.
struct Browser {
    key: Key,
    revoked: Cell<bool>,
    member: Cell<bool>,
}

struct Load {
    instances: [Instance; 3],
    browsers: std::cell::RefCell<Vec<Rc<Browser>>>,
    lookups: Cell<usize>,
    late: Cell<usize>,
    done: Cell<bool>,
}

/// Returns how many lookups started after the answer and still found the old state.
pub fn measure(report: &mut Report, environment: &Environment) -> usize {
    System::new().block_on(async {
        let load = Rc::new(Load {
            instances: Instance::three(environment).await,
            browsers: std::cell::RefCell::default(),
            lookups: Cell::new(0),
            late: Cell::new(0),
            done: Cell::new(false),
        });
        let mut clients = Vec::new();
        for client in 0..CLIENTS * 3 {
            clients.push(spawn(Rc::clone(&load).send_lookups(client % 3)));
        }
        for trial in 0..TRIALS {
            for kind in 0..6 {
                let user = create_admin(environment, trial * 6 + kind);
                load.revoke(trial, kind, user).await;
            }
        }
        load.done.set(true);
        for client in clients {
            client.await.unwrap();
        }
        report.note("sessions taken back under load", "times", (TRIALS * 6) as f64);
        report.note("requests meanwhile", "times", load.lookups.get() as f64);
        load.late.get()
    })
}

fn create_admin(environment: &Environment, number: usize) -> Uuid {
    let id = Uuid::new_v4();
    environment.execute(&format!(
        "INSERT INTO users (id, email, email_key, name, role) \
         VALUES ('{id}', 'gone{number}@example.org', 'gone{number}@example.org', 'Gone', 'admin')"
    ));
    id
}

impl Load {
    /// Looks up the current browsers in turn, without pause.
    async fn send_lookups(self: Rc<Self>, instance: usize) {
        let mut turn = instance;
        while !self.done.get() {
            turn += 1;
            let browser = {
                let browsers = self.browsers.borrow();
                (!browsers.is_empty()).then(|| Rc::clone(&browsers[turn % browsers.len()]))
            };
            match browser {
                Some(browser) => self.look_up(instance, &browser).await,
                None => sleep(Duration::from_micros(200)).await,
            }
            // Lookups that are answered from memory would otherwise not let other tasks run.
            tokio::task::yield_now().await;
        }
    }

    async fn look_up(&self, instance: usize, browser: &Browser) {
        // What was known when the lookup started.
        let (revoked, member) = (browser.revoked.get(), browser.member.get());
        let found: Option<LiveSession<User>> = self.instances[instance].find(&browser.key).await;
        let wrong = found.is_some_and(|live| revoked || (member && live.owner.role == Role::Admin));
        self.late.set(self.late.get() + usize::from(wrong));
        self.lookups.set(self.lookups.get() + 1);
    }

    /// Caches two browsers of one user on every instance, performs one kind of revocation at one of them, and looks both
    /// up on every instance as soon as it has answered.
    async fn revoke(&self, trial: usize, kind: usize, user: Uuid) {
        let at = &self.instances[trial % 3];
        let (one, other) = (at.open(user).await, at.open(user).await);
        let new = |key| Rc::new(Browser { key, revoked: Cell::new(false), member: Cell::new(false) });
        let (one, other) = (new(one), new(other));
        self.browsers.borrow_mut().extend([Rc::clone(&one), Rc::clone(&other)]);
        for _ in 0..2 {
            for instance in 0..3 {
                self.look_up(instance, &one).await;
                self.look_up(instance, &other).await;
            }
        }
        sleep(Duration::from_millis(2)).await;
        let accounts = &at.accounts;
        let live = at.find(&one.key).await.expect("a session");
        let id = UserId(user);
        match kind {
            0 => accounts.login.log_out(live, client()).await.unwrap(),
            1 => {
                let handle = at.find(&other.key).await.expect("a session").record.handle;
                assert!(accounts.login.revoke_own_session(live, handle, client()).await.unwrap());
            }
            2 => assert_eq!(accounts.login.revoke_other_sessions(live, client()).await.unwrap(), 1),
            3 => accounts.admin.disable(None, id, client()).await.unwrap(),
            4 => accounts.admin.revoke_sessions_of(None, id, client()).await.unwrap(),
            _ => accounts.admin.set_role(None, id, Role::Member, client()).await.unwrap(),
        }
        one.revoked.set([0, 3, 4].contains(&kind));
        other.revoked.set((1..=4).contains(&kind));
        one.member.set(kind == 5);
        other.member.set(kind == 5);
        let everywhere =
            [&one, &other].into_iter().flat_map(|browser| (0..3).map(move |i| self.look_up(i, browser)));
        futures_util::future::join_all(everywhere).await;
        // The clients go on to look up the last ones for a while.
        let mut browsers = self.browsers.borrow_mut();
        let old = browsers.len().saturating_sub(12);
        browsers.drain(..old);
    }
}
