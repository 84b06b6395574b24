//! Account operations on three running servers: an operation on one takes effect on the others from the next request
//! on.

use futures_util::future::join_all;
use latchkey::identity::{Client, Role, UserId};

use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;
use crate::support::process::eventually;

const CHOSEN: &str = "analytical-engine-1837";

struct Servers {
    apps: [TestApp; 3],
    ada: Person,
}

impl Servers {
    async fn new() -> Self {
        let here = TestApp::spawn();
        let apps = [here.beside(|_| {}), here.beside(|_| {}), here];
        for app in &apps {
            eventually("trust", async || app.accounts.sessions().has_lease().then_some(())).await;
        }
        let ada = apps[0].ada().await;
        Self { apps, ada }
    }

    /// A browser at the first server, and copies of it at the others; all of their sessions are in memory.
    async fn everywhere(&self) -> [Browser; 3] {
        let one = self.apps[0].logged_in(&self.ada).await;
        let [_, b, c] = &self.apps;
        let mut browsers = [one.copy_at(&b.origin), one.copy_at(&c.origin), one];
        browsers.rotate_right(1);
        for browser in &mut browsers {
            browser.get("/home").await.is(200);
            browser.get("/home").await.is(200);
        }
        browsers
    }

    fn ada(&self) -> UserId {
        UserId(self.ada.id)
    }
}

async fn who_is_in(browsers: &mut [Browser; 3]) -> Vec<bool> {
    join_all(browsers.iter_mut().map(Browser::is_in)).await
}

#[actix_web::test]
async fn a_disabled_person_is_out_everywhere_and_may_come_back_everywhere() {
    let servers = Servers::new().await;
    for round in 0..3 {
        let mut browsers = servers.everywhere().await;
        let accounts = &servers.apps[round].accounts;
        accounts.admin.disable(None, servers.ada(), Client::operator()).await.unwrap();
        assert_eq!(who_is_in(&mut browsers).await, [false; 3]);
        accounts.admin.enable(None, servers.ada(), Client::operator()).await.unwrap();
    }
}

#[actix_web::test]
async fn a_role_given_or_taken_shows_on_the_next_request_everywhere() {
    let servers = Servers::new().await;
    servers.apps[0].grace().await;
    let mut browsers = servers.everywhere().await;
    for round in 0..6 {
        let (role, status) = if round % 2 == 0 { (Role::Admin, 200) } else { (Role::Member, 403) };
        let accounts = &servers.apps[round % 3].accounts;
        accounts.admin.set_role(None, servers.ada(), role, Client::operator()).await.unwrap();
        for browser in &mut browsers {
            browser.get("/admin").await.is(status);
        }
    }
}

#[actix_web::test]
async fn a_new_name_is_said_everywhere() {
    let servers = Servers::new().await;
    let mut browsers = servers.everywhere().await;
    for (round, name) in ["Ada King", "Countess of Lovelace", "A. A. L."].into_iter().enumerate() {
        browsers[round].get("/account").await;
        browsers[round].post("/account/profile", &[("name", name)]).await.redirects_to("/account");
        for browser in &mut browsers {
            browser.get("/home").await.is(200).says(name);
        }
    }
}

#[actix_web::test]
async fn after_a_change_of_password_only_the_new_key_of_the_one_who_changed_it_is_good() {
    let servers = Servers::new().await;
    let mut elsewhere = servers.everywhere().await;
    let [mut here, ..] = servers.everywhere().await;
    let mut copies =
        [here.copy(), here.copy_at(&servers.apps[1].origin), here.copy_at(&servers.apps[2].origin)];
    assert_eq!(who_is_in(&mut copies).await, [true; 3]);
    let fields = [("current_password", servers.ada.password), ("password", CHOSEN)];
    here.fill_in("/account/password", &fields).await.is(303);
    assert_eq!(who_is_in(&mut copies).await, [false; 3]);
    assert_eq!(who_is_in(&mut elsewhere).await, [false; 3]);
    let mut renewed =
        [here.copy(), here.copy_at(&servers.apps[1].origin), here.copy_at(&servers.apps[2].origin)];
    assert_eq!(who_is_in(&mut renewed).await, [true; 3]);
}

#[actix_web::test]
async fn logging_out_confirming_and_ending_others_hold_everywhere() {
    let servers = Servers::new().await;
    let mut browsers = servers.everywhere().await;
    let mut other = servers.everywhere().await;
    // The key rotates: copies of the old key are logged out, the session continues.
    browsers[1].fill_in("/confirm", &[("password", servers.ada.password)]).await.redirects_to("/home");
    assert_eq!(who_is_in(&mut browsers).await, [false, true, false]);
    let cookies = browsers[1].cookies.clone();
    for browser in &mut browsers {
        browser.cookies.clone_from(&cookies);
    }
    assert_eq!(who_is_in(&mut browsers).await, [true; 3]);

    browsers[2].get("/account/sessions").await;
    browsers[2].post("/account/sessions/revoke-others", &[]).await.redirects_to("/account/sessions");
    assert_eq!(who_is_in(&mut other).await, [false; 3]);
    assert_eq!(who_is_in(&mut browsers).await, [true; 3]);

    let mut copies = [0, 1, 2].map(|at| browsers[at].copy());
    browsers[0].post("/logout", &[]).await.redirects_to("/login");
    assert_eq!(who_is_in(&mut copies).await, [false; 3]);
}

#[actix_web::test]
async fn a_user_who_is_deleted_by_hand_is_soon_logged_out_everywhere() {
    let servers = Servers::new().await;
    let mut browsers = servers.everywhere().await;
    // Returns when every instance has applied it.
    servers.apps[0].db.execute(&format!("DELETE FROM users WHERE id = '{}'", servers.ada.id));
    assert_eq!(who_is_in(&mut browsers).await, [false; 3]);
}

#[actix_web::test]
async fn home_counts_a_log_in_elsewhere() {
    let servers = Servers::new().await;
    let [mut here, mut there, _] = servers.everywhere().await;
    here.get("/home").await.has_others(0);
    servers.apps[0].logged_in(&servers.ada).await;
    here.get("/home").await.has_others(1);
    let soon = async || {
        let home = there.get("/home").await;
        (home.status == 200 && home.codes("data-others") == ["1"]).then_some(())
    };
    eventually("the other instance counts it too", soon).await;
}
