//! Under load on three instances, people's sessions are taken back in every way there is. Whoever asks after the
//! answer must be told no, or what has changed: how often that fails is counted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::rt::{System, spawn};
use latchkey::identity::{Role, User, UserId};
use latchkey::sessions::{Key, Live};
use uuid::Uuid;

use super::instances::{Instance, client};
use crate::place::Place;
use crate::report::Report;

/// Of each of the six ways.
const TRIALS: usize = 60;

/// Who asks all the time, at each instance.
const VISITORS: usize = 4;

/// One browser, and since when it must be turned away.
struct Browser {
    key: Key,
    over: Cell<bool>,
    member: Cell<bool>,
}

struct Load {
    instances: [Instance; 3],
    browsers: std::cell::RefCell<Vec<Rc<Browser>>>,
    asked: Cell<usize>,
    late: Cell<usize>,
    done: Cell<bool>,
}

/// Answers how many requests were served as before that began after the answer.
pub fn measure(report: &mut Report, place: &Place) -> usize {
    System::new().block_on(async {
        let load = Rc::new(Load {
            instances: Instance::three(place).await,
            browsers: std::cell::RefCell::default(),
            asked: Cell::new(0),
            late: Cell::new(0),
            done: Cell::new(false),
        });
        let mut visitors = Vec::new();
        for visitor in 0..VISITORS * 3 {
            visitors.push(spawn(Rc::clone(&load).visit(visitor % 3)));
        }
        for trial in 0..TRIALS {
            for way in 0..6 {
                let user = somebody(place, trial * 6 + way);
                load.take_back(trial, way, user).await;
            }
        }
        load.done.set(true);
        for visitor in visitors {
            visitor.await.unwrap();
        }
        report.note("sessions taken back under load", "times", (TRIALS * 6) as f64);
        report.note("requests meanwhile", "times", load.asked.get() as f64);
        load.late.get()
    })
}

fn somebody(place: &Place, number: usize) -> Uuid {
    let id = Uuid::new_v4();
    place.execute(&format!(
        "INSERT INTO users (id, email, email_key, name, role) \
         VALUES ('{id}', 'gone{number}@example.org', 'gone{number}@example.org', 'Gone', 'admin')"
    ));
    id
}

impl Load {
    /// Asks for whoever is there, again and again.
    async fn visit(self: Rc<Self>, instance: usize) {
        let mut turn = instance;
        while !self.done.get() {
            turn += 1;
            let browser = {
                let browsers = self.browsers.borrow();
                (!browsers.is_empty()).then(|| Rc::clone(&browsers[turn % browsers.len()]))
            };
            match browser {
                Some(browser) => self.ask(instance, &browser).await,
                None => sleep(Duration::from_micros(200)).await,
            }
            // Otherwise those that are answered from memory would never let anybody else have a turn.
            tokio::task::yield_now().await;
        }
    }

    async fn ask(&self, instance: usize, browser: &Browser) {
        // What was known when the request began.
        let (over, member) = (browser.over.get(), browser.member.get());
        let found: Option<Live<User>> = self.instances[instance].find(&browser.key).await;
        let wrong = found.is_some_and(|live| over || (member && live.owner.role == Role::Admin));
        self.late.set(self.late.get() + usize::from(wrong));
        self.asked.set(self.asked.get() + 1);
    }

    /// Two browsers of one person, in the memory of all; then one way of taking back, at one instance after the
    /// other. Asked everywhere at once when it has answered.
    async fn take_back(&self, trial: usize, way: usize, user: Uuid) {
        let at = &self.instances[trial % 3];
        let (one, other) = (at.open(user).await, at.open(user).await);
        let new = |key| Rc::new(Browser { key, over: Cell::new(false), member: Cell::new(false) });
        let (one, other) = (new(one), new(other));
        self.browsers.borrow_mut().extend([Rc::clone(&one), Rc::clone(&other)]);
        for _ in 0..2 {
            for instance in 0..3 {
                self.ask(instance, &one).await;
                self.ask(instance, &other).await;
            }
        }
        sleep(Duration::from_millis(2)).await;
        let accounts = &at.accounts;
        let live = at.find(&one.key).await.expect("a session");
        let id = UserId(user);
        match way {
            0 => accounts.login.log_out(live, client()).await.unwrap(),
            1 => {
                let handle = at.find(&other.key).await.expect("a session").record.handle;
                assert!(accounts.login.revoke_own(live, handle, client()).await.unwrap());
            }
            2 => assert_eq!(accounts.login.revoke_others(live, client()).await.unwrap(), 1),
            3 => accounts.admin.disable(None, id, client()).await.unwrap().unwrap(),
            4 => accounts.admin.revoke_sessions_of(None, id, client()).await.unwrap().unwrap(),
            _ => accounts.admin.set_role(None, id, Role::Member, client()).await.unwrap().unwrap(),
        }
        one.over.set([0, 3, 4].contains(&way));
        other.over.set((1..=4).contains(&way));
        one.member.set(way == 5);
        other.member.set(way == 5);
        let everywhere =
            [&one, &other].into_iter().flat_map(|browser| (0..3).map(move |i| self.ask(i, browser)));
        futures_util::future::join_all(everywhere).await;
        // The visitors go on asking for the last ones for a while.
        let mut browsers = self.browsers.borrow_mut();
        let old = browsers.len().saturating_sub(12);
        browsers.drain(..old);
    }
}
