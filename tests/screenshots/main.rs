//! Not a test: takes pictures of every page and email on the tests' tour server. See bin/screenshots.

#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../it/browser/compare.rs"]
mod compare;
mod mails;
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../it/browser/second_factor.rs"]
mod second_factor;
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../it/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../it/browser/tour.rs"]
mod tour;

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::json;
use support::chrome::{Chrome, PHONE, Screen};
use tour::{House, Who};

/// Small enough for a README.
const WINDOW: Screen = Screen { width: 1080, height: 720, mobile: false };

/// These are also taken as a window shows them, for the README and the docs.
const IN_A_WINDOW: [&str; 11] = [
    "landing",
    "home",
    "home-dark",
    "compare-log-out",
    "live-connections",
    "sessions",
    "sessions-phone",
    "login-dark-phone",
    "register-phone",
    "admin-overview",
    "app",
];

#[actix_web::main]
async fn main() {
    let dir = PathBuf::from(env::args().nth(1).expect("a directory to draw into"));
    fs::create_dir_all(dir.join("window")).expect("a directory");
    let album = Album { dir, only: env::args().skip(2).collect() };
    let house = House::furnish().await;
    // The emails and log-ins of the set-up.
    house
        .app
        .db
        .execute("BEGIN; SET LOCAL latchkey.retention = 'yes'; DELETE FROM audit_events WHERE at > now() - interval '1 hour' AND act <> 'invited'; COMMIT");
    house.app.db.execute("UPDATE sessions SET created_at = created_at - interval '3 hours', last_seen_at = now() - interval '4 minutes' WHERE user_agent LIKE '%Firefox%'");
    house.app.db.execute("DELETE FROM sessions WHERE user_agent = ''");
    let visitor = Chrome::open(&house.app.origin).await;
    album.of_a_visitor(&house, &visitor).await;
    compare::walk(&visitor, async |name| album.shoot(&visitor, name).await).await;
    compare::live(&visitor, async |name| album.shoot(&visitor, name).await).await;
    album.of_emails(&visitor).await;
    album.of_a_member(&house).await;
    let mary = Chrome::open(&house.app.origin).await;
    second_factor::walk(&house.app, &mary, async |name| album.shoot(&mary, name).await).await;
    album.of_an_administrator(&house).await;
    album.of_the_front_door(&house).await;
    album.of_an_empty_house().await;
}

/// Where the pictures go.
struct Album {
    dir: PathBuf,
    /// The beginnings of the names of those to take; empty: all.
    only: Vec<String>,
}

impl Album {
    async fn of_a_visitor(&self, house: &House, chrome: &Chrome) {
        let letter = house.filled("/dev/mailbox/{id}");
        for (name, path) in [
            ("landing", "/"),
            ("login", "/login"),
            ("login-for-a-page", "/login?next=%2Faccount%2Fpassword"),
            ("register-invited", &house.invite_path),
            ("register-check-email", "/register/check-email"),
            ("forgot-password", "/forgot-password"),
            ("forgot-password-sent", "/forgot-password/sent"),
            ("reset-password", &house.reset_path),
            ("reset-password-dead", "/reset-password?token=used-up"),
            ("unlock-dead", "/unlock?token=used-up"),
            ("compare-session", "/compare/session"),
            ("compare-jwt", "/compare/jwt"),
            ("mailbox", "/dev/mailbox"),
            ("mailbox-email", &letter),
            ("parts", "/dev/parts"),
            ("api", "/api"),
            ("error", "/nowhere"),
        ] {
            self.draw(chrome, path, name).await;
        }
        // Newest first: an older link of a kind has been replaced.
        for link in house.links.iter().rev() {
            let name = link.split('?').next().unwrap_or_default().trim_start_matches('/');
            self.draw(chrome, link, name).await;
        }
        let typed = [("email", "ada@example.org"), ("password", "wrong")];
        self.refused(chrome, "/login", "/login", &typed, "login-refused").await;
        let typed = [("name", "Mary Somerville"), ("email", "mary@"), ("password", "password password")];
        self.refused(chrome, "/register", "/register", &typed, "register").await;
        let typed = [("email", "ada@")];
        self.refused(chrome, "/forgot-password", "/forgot-password", &typed, "forgot-password-refused").await;
    }

    async fn of_a_member(&self, house: &House) {
        let chrome = Chrome::open(&house.app.origin).await;
        chrome.log_in(house.ada.email, house.ada.password).await;
        chrome.is_at("home").await;
        house.add_passkeys(Who::Ada);
        replace_loopback(house);
        let typed = [("name", "Nightly backup"), ("expires", "7d")];
        self.refused(&chrome, "/account/tokens", "/account/tokens", &typed, "tokens-refused").await;
        chrome.go("/account/tokens").await;
        chrome
            .submit("/account/tokens", &[("name", "Photo importer"), ("expires", "90d"), ("me", "1")])
            .await;
        chrome.is_at("account/tokens/created").await;
        self.shoot(&chrome, "tokens-created").await;
        for (name, path) in [
            ("tokens", "/account/tokens"),
            ("home", "/home"),
            ("sessions", "/account/sessions"),
            ("activity", "/account/activity"),
            ("activity-page-2", "/account/activity?page=2"),
            ("profile", "/account"),
            ("password", "/account/password"),
            ("email", "/account/email"),
            ("delete", "/account/delete"),
            ("security-passkeys", "/account/security"),
            ("app-refused", tour::REFUSED),
            ("confirm", "/confirm"),
            ("forbidden", "/admin"),
        ] {
            self.draw(&chrome, path, name).await;
        }
        let typed = [("password", "wrong")];
        self.refused(&chrome, "/confirm", "/confirm", &typed, "confirm-refused").await;
        let typed = [("current_password", "wrong"), ("password", "too short")];
        self.refused(&chrome, "/account/password", "/account/password", &typed, "password-refused").await;
        let rename = "/account/passkeys/00000000-0000-4000-8000-000000000002/rename";
        self.refused(&chrome, "/account/security", rename, &[("name", "")], "passkey-refused").await;
        self.refused(&chrome, "/account", "/account/profile", &[("name", "")], "profile-refused").await;
    }

    async fn of_an_administrator(&self, house: &House) {
        let chrome = Chrome::open(&house.app.origin).await;
        chrome.log_in(house.grace.email, house.grace.password).await;
        chrome.is_at("home").await;
        replace_loopback(house);
        let user = format!("/admin/users/{}", house.ada.id);
        let disabled = format!("/admin/users/{}", house.gone);
        let herself = format!("/admin/users/{}", house.grace.id);
        for (name, path) in [
            ("admin-overview", "/admin"),
            ("users", "/admin/users"),
            ("users-none", "/admin/users?q=charles+babbage+junior"),
            ("user", &user),
            ("user-disabled", &disabled),
            ("user-herself", &herself),
            ("audit", "/admin/audit"),
            ("audit-none", "/admin/audit?q=charles+babbage+junior"),
            ("admin-sessions", "/admin/sessions"),
            ("invitations", "/admin/invitations"),
            ("groups", "/admin/groups"),
            ("group", "/admin/groups/staff"),
            ("apps", "/admin/apps"),
            ("app", "/admin/apps/wiki"),
            ("app-from-a-file", "/admin/apps/reports"),
            ("app-open-to-everyone", "/admin/apps/chat"),
            ("app-try", tour::TRIED),
        ] {
            self.draw(&chrome, path, name).await;
        }
        let (page, typed) = ("/admin/invitations", [("email", "radia@")]);
        self.refused(&chrome, page, page, &typed, "invitations-refused").await;
        let typed = [("path", "/a//b"), ("groups", "Staff")];
        self.refused(&chrome, "/admin/apps/wiki", "/admin/apps/wiki/rules", &typed, "app-rule-refused").await;
        let typed = [("name", ""), ("header_user", "Cookie")];
        self.refused(
            &chrome,
            "/admin/apps/wiki",
            "/admin/apps/wiki/settings",
            &typed,
            "app-settings-refused",
        )
        .await;
    }

    /// Latchkey's own pages on the hosts of apps.
    async fn of_the_front_door(&self, house: &House) {
        let at = |slug: &str| house.app.origin.replace("localhost", &format!("{slug}.localhost"));
        house.app.db.execute("UPDATE apps SET enabled = false WHERE slug = 'reports'");
        house.app.db.execute(
            "UPDATE app_rules SET access = 'open' WHERE app = (SELECT id FROM apps WHERE slug = 'chat')",
        );
        house.app.accounts.sessions().wait_until_invalidated().await;
        for (slug, name, path) in [
            ("wiki", "front-left", "/.latchkey/out"),
            ("wiki", "front-not-found", "/.latchkey/nowhere"),
            ("wiki", "front-no-state-cookie", "/.latchkey/enter?code=used-up"),
            ("wiki", "front-path-ambiguous", "/admin//users"),
            ("chat", "front-unreachable", "/"),
            ("reports", "front-unknown", "/"),
        ] {
            let chrome = Chrome::open(&at(slug)).await;
            self.draw(&chrome, path, name).await;
        }
    }

    async fn of_an_empty_house(&self) {
        let (app, paths) = tour::empty().await;
        let chrome = Chrome::open(&app.origin).await;
        self.draw(&chrome, &paths[0], "setup").await;
        self.draw(&chrome, &paths[1], "setup-dead").await;
        self.draw(&chrome, "/dev/mailbox", "mailbox-none").await;
        let grace = app.grace().await;
        chrome.log_in(grace.email, grace.password).await;
        chrome.is_at("home").await;
        for (name, path) in [
            ("home-alone", "/home"),
            ("sessions-alone", "/account/sessions"),
            ("tokens-none", "/account/tokens"),
            ("admin-overview-new", "/admin"),
            ("invitations-none", "/admin/invitations"),
            ("groups-none", "/admin/groups"),
            ("apps-none", "/admin/apps"),
        ] {
            self.draw(&chrome, path, name).await;
        }
    }

    async fn of_emails(&self, chrome: &Chrome) {
        // Emails have a style sheet of their own, which the policy of our pages would refuse.
        chrome.client.goto("about:blank").await.expect("an empty page");
        for (name, html) in mails::every() {
            let script = "document.open(); document.write(arguments[0]); document.close()";
            chrome.run(script, vec![json!(html)]).await;
            self.shoot(chrome, &format!("mail-{name}")).await;
        }
    }

    /// The answer to a form with errors.
    async fn refused(&self, chrome: &Chrome, page: &str, action: &str, fields: &[(&str, &str)], name: &str) {
        chrome.go(page).await;
        chrome.submit(action, fields).await;
        chrome.waits_for(".errors").await;
        self.shoot(chrome, name).await;
    }

    async fn draw(&self, chrome: &Chrome, path: &str, name: &str) {
        chrome.go(path).await;
        self.shoot(chrome, name).await;
    }

    /// The whole page, at a desk and on a phone, each in light and dark.
    async fn shoot(&self, chrome: &Chrome, name: &str) {
        if !self.only.is_empty() && !self.only.iter().any(|only| name.starts_with(only)) {
            return;
        }
        chrome.cdp("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
        for (screen, suffix) in [(WINDOW, ""), (PHONE, "-phone")] {
            chrome.resize(screen).await;
            for (dark, scheme) in [(false, ""), (true, "-dark")] {
                chrome.set_dark(dark).await;
                chrome.run("document.getAnimations().forEach(animation => animation.finish())", vec![]).await;
                let name = format!("{name}{scheme}{suffix}");
                fs::write(self.dir.join(format!("{name}.png")), whole(chrome, screen).await).expect("a file");
                if IN_A_WINDOW.contains(&name.as_str()) {
                    let into_view =
                        "if (location.hash) document.querySelector(location.hash)?.scrollIntoView()";
                    chrome.run(into_view, vec![]).await;
                    let png = chrome.client.screenshot().await.expect("a picture");
                    fs::write(self.dir.join(format!("window/{name}.png")), png).expect("a file");
                }
            }
        }
    }
}

/// The page in a window that is as tall as the page.
async fn whole(chrome: &Chrome, screen: Screen) -> Vec<u8> {
    // Twice, because a space on a page may depend on the height of the window.
    for _ in 0..2 {
        let height = chrome.run("return document.documentElement.scrollHeight", vec![]).await;
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok()).expect("a height");
        chrome.resize(Screen { height, ..screen }).await;
    }
    let png = chrome.client.screenshot().await.expect("a picture");
    chrome.resize(screen).await;
    png
}

/// Replaces the loopback address, so that screenshots show plausible addresses.
fn replace_loopback(house: &House) {
    house.app.db.execute(
        "UPDATE sessions SET address = '203.0.113.7' WHERE address = '127.0.0.1'; \
         ALTER TABLE audit_events DISABLE TRIGGER refuse; \
         UPDATE audit_events SET address = '203.0.113.7' WHERE address = '127.0.0.1'; \
         ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse",
    );
}
