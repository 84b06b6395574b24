//! Not a test: takes the screenshots of the README and the docs on the tests' tour server. See bin/screenshots.

#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../it/browser/compare.rs"]
mod compare;
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../it/browser/second_factor.rs"]
mod second_factor;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../it/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../it/browser/tour.rs"]
mod tour;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use support::chrome::{Chrome, PHONE, Screen};
use tour::{House, Who};

/// Small enough for a README.
const WINDOW: Screen = Screen { width: 1080, height: 720, mobile: false };

#[actix_web::main]
async fn main() {
    let dir = PathBuf::from(env::args().nth(1).expect("a directory to draw into"));
    fs::create_dir_all(&dir).expect("a directory");
    let house = House::furnish().await;
    // The emails and log-ins of the set-up.
    house
        .app
        .db
        .execute("BEGIN; SET LOCAL latchkey.retention = 'yes'; DELETE FROM audit_events WHERE at > now() - interval '1 hour' AND act <> 'invited'; COMMIT");
    house.app.db.execute("UPDATE sessions SET created_at = created_at - interval '3 hours', last_seen_at = now() - interval '4 minutes' WHERE user_agent LIKE '%Firefox%'");
    house.app.db.execute("DELETE FROM sessions WHERE user_agent = ''");
    let visitor = Chrome::open(&house.app.origin).await;
    for (name, path) in
        [("landing", "/"), ("login", "/login"), ("mailbox", "/dev/mailbox"), ("parts", "/dev/parts")]
    {
        draw(&visitor, path, &dir, name).await;
    }
    visitor.resize(WINDOW).await;
    draw(&visitor, "/nowhere", &dir, "error").await;
    visitor.go("/register").await;
    let fields = [("name", "Mary Somerville"), ("email", "mary@"), ("password", "password password")];
    visitor.submit("/register", &fields).await;
    visitor.waits_for(".errors").await;
    shoot(&visitor, &dir, "register").await;

    compare::walk(&visitor, async |name| shoot(&visitor, &dir, name).await).await;

    for link in &house.links {
        visitor.resize(WINDOW).await;
        draw(&visitor, link, &dir, link.split('?').next().unwrap_or_default().trim_start_matches('/')).await;
    }

    let ada = Chrome::open(&house.app.origin).await;
    ada.log_in(house.ada.email, house.ada.password).await;
    ada.is_at("home").await;
    house.add_passkeys(Who::Ada);
    elsewhere(&house);
    for (name, path) in [
        ("home", "/home"),
        ("sessions", "/account/sessions"),
        ("activity", "/account/activity"),
        ("profile", "/account"),
        ("password", "/account/password"),
        ("email", "/account/email"),
        ("delete", "/account/delete"),
        ("security", "/account/security"),
        ("confirm", "/confirm"),
        ("forbidden", "/admin"),
    ] {
        draw(&ada, path, &dir, name).await;
    }

    let mary = Chrome::open(&house.app.origin).await;
    second_factor::walk(&house.app, &mary, async |name| shoot(&mary, &dir, name).await).await;

    let grace = Chrome::open(&house.app.origin).await;
    grace.log_in(house.grace.email, house.grace.password).await;
    grace.is_at("home").await;
    elsewhere(&house);
    let user = format!("/admin/users/{}", house.ada.id);
    for (name, path) in [
        ("admin-overview", "/admin"),
        ("users", "/admin/users"),
        ("user", &user),
        ("audit", "/admin/audit"),
        ("admin-sessions", "/admin/sessions"),
        ("invitations", "/admin/invitations"),
    ] {
        draw(&grace, path, &dir, name).await;
    }
}

/// Replaces the loopback address, so that screenshots show plausible addresses.
fn elsewhere(house: &House) {
    house.app.db.execute(
        "UPDATE sessions SET address = '203.0.113.7' WHERE address = '127.0.0.1'; \
         ALTER TABLE audit_events DISABLE TRIGGER refuse; \
         UPDATE audit_events SET address = '203.0.113.7' WHERE address = '127.0.0.1'; \
         ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse",
    );
}

async fn draw(chrome: &Chrome, path: &str, dir: &Path, name: &str) {
    chrome.go(path).await;
    shoot(chrome, dir, name).await;
}

/// In a window and on a phone, each in light and dark.
async fn shoot(chrome: &Chrome, dir: &Path, name: &str) {
    chrome.cdp("Emulation.setScrollbarsHidden", serde_json::json!({"hidden": true})).await;
    for (screen, suffix) in [(WINDOW, ""), (PHONE, "-phone")] {
        chrome.resize(screen).await;
        for (dark, scheme) in [(false, ""), (true, "-dark")] {
            chrome.set_dark(dark).await;
            chrome
                .run("if (location.hash) document.querySelector(location.hash)?.scrollIntoView()", vec![])
                .await;
            chrome.run("document.getAnimations().forEach(animation => animation.finish())", vec![]).await;
            let png = chrome.client.screenshot().await.expect("a picture");
            fs::write(dir.join(format!("{name}{scheme}{suffix}.png")), png).expect("a file");
        }
    }
}
