//! Recovery codes: ten, each valid once.

use futures_util::future::join_all;

use crate::passkeys::{inside, passkey_of};
use crate::support::app::TestApp;
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::browser::Browser;

#[actix_web::test]
async fn each_code_logs_in_once_however_it_is_typed() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (_, codes) = app.enrol(&mut app.logged_in(&ada).await).await;
    assert_eq!(codes.len(), 10);
    let typed =
        [codes[0].clone(), codes[1].to_lowercase(), codes[2].replace('-', " "), codes[3].replace('-', "")];
    for code in &typed {
        let mut browser = app.pending(&ada).await;
        browser.post("/login/second-factor", &[("code", code)]).await.redirects_to("/home");
    }
    let mut browser = app.pending(&ada).await;
    for code in &typed {
        browser.post("/login/second-factor", &[("code", code)]).await.is(422).does_not_say(code);
    }
    assert_eq!(app.events("recovery-code-used"), 4);
    let factors: i64 = app.db.scalar("SELECT count(*) FROM sessions WHERE factor = 'password+recovery-code'");
    assert_eq!(factors, 4);
    browser.post("/login/second-factor", &[("code", &codes[4])]).await.redirects_to("/home");
    browser.get("/account/security").await.has_codes_left(5);
}

#[actix_web::test]
async fn one_code_in_ten_parallel_log_ins_opens_one_session() {
    let app = TestApp::spawn_wide(10);
    let ada = app.ada().await;
    let (_, codes) = app.enrol(&mut app.logged_in(&ada).await).await;
    let mut browsers = Vec::new();
    for _ in 0..10 {
        browsers.push(app.pending(&ada).await);
    }
    app.db.execute("DELETE FROM sessions");
    let fields = [("code", codes[0].as_str())];
    let posts = join_all(browsers.iter_mut().map(|browser| browser.post("/login/second-factor", &fields)));
    let answers = app.all_at_once(&ada, 10, posts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_sent_to("/home")).count(), 1);
    assert_eq!((app.live_sessions(&ada), app.events("recovery-code-used")), (1, 1));
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 9);
}

#[actix_web::test]
async fn the_owner_is_notified_of_the_last_codes() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (_, codes) = app.enrol(&mut app.logged_in(&ada).await).await;
    for code in &codes {
        let mut browser = app.pending(&ada).await;
        browser.post("/login/second-factor", &[("code", code)]).await.redirects_to("/home");
    }
    let letters = app.letters().await;
    let told: Vec<_> = letters.iter().rev().filter(|it| it.subject.contains("recovery code")).collect();
    let subjects: Vec<_> = told.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "3 recovery codes are left",
            "2 recovery codes are left",
            "One recovery code is left",
            "Your last recovery code was used"
        ]
    );
}

#[actix_web::test]
async fn new_codes_kill_the_old_ones() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let (_, old) = app.enrol(&mut owner).await;
    owner.get("/account/security").await;
    let answer = owner.post("/account/recovery-codes", &[]).await;
    let new = answer.is(200).attribute("input[name=codes]", "value").unwrap();
    let new: Vec<&str> = new.split(' ').collect();
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(&(*code).to_owned())));
    let mut browser = app.pending(&ada).await;
    browser.post("/login/second-factor", &[("code", &old[0])]).await.is(422);
    browser.post("/login/second-factor", &[("code", new[0])]).await.redirects_to("/home");
    assert_eq!(app.events("recovery-codes-made"), 1);
}

#[actix_web::test]
async fn without_a_factor_there_are_none() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await;
    browser.post("/account/recovery-codes", &[]).await.redirects_to("/account/security");
    browser.get("/account/security").await.has_flash("no-factor");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 0);
}

#[actix_web::test]
async fn another_users_code_opens_nothing_and_stays_valid() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.enrol(&mut app.logged_in(&ada).await).await;
    let (_, codes) = app.enrol(&mut app.logged_in(&grace).await).await;
    let mut browser = app.pending(&ada).await;
    browser.post("/login/second-factor", &[("code", &codes[0])]).await.is(422);
    let mut browser = app.pending(&grace).await;
    browser.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
}

#[actix_web::test]
async fn the_file_holds_the_codes_of_the_page_and_nothing_else() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (_, theirs) = app.enrol(&mut app.logged_in(&grace).await).await;
    let mut browser = app.logged_in(&ada).await;
    let (_, codes) = app.enrol(&mut browser).await;
    let file = browser.post("/account/recovery-codes/download", &[("codes", &codes.join(" "))]).await;
    assert_eq!(file.is(200).header("content-type"), Some("text/plain; charset=utf-8"));
    let disposition = file.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"latchkey-recovery-codes.txt\"");
    assert_eq!(file.header("cache-control"), Some("no-store"));
    assert!(codes.iter().all(|code| file.body.lines().any(|line| line == code)), "{}", file.body);
    assert!(file.body.contains(ada.email));
    let mixed = format!("{} {}", codes[0], theirs[0]);
    let many = [codes[0].as_str()].repeat(200).join(" ");
    let made_up = format!("{} {}", codes[0], "A".repeat(26));
    for other in [mixed.as_str(), &many, &made_up, "", "<b>hello</b>", &theirs.join(" ")] {
        browser
            .post("/account/recovery-codes/download", &[("codes", other)])
            .await
            .redirects_to("/account/security");
    }
}

#[actix_web::test]
async fn ten_wrong_codes_end_the_pending_login_and_delay_no_other_user() {
    let app = TestApp::spawn_with(|settings| settings.throttle.asks_per_hour = 5);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (_, codes) = app.enrol(&mut app.logged_in(&ada).await).await;
    let (_, graces) = app.enrol(&mut app.logged_in(&grace).await).await;
    // All browsers here have the same IP address. One attacker knows a password; not even the owner has to wait for the
    // attackers.
    let mut owner = app.pending(&ada).await;
    let mut thief = app.pending(&ada).await;
    for _ in 0..3 {
        for _ in 0..10 {
            thief.post("/login/second-factor", &[("code", "AAAA")]).await.is(422);
        }
        thief.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/login");
        assert!(!thief.is_in().await);
        thief = app.pending(&ada).await;
    }
    assert_eq!(app.events("second-factor-refused"), 30);
    owner.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
    let mut neighbour = app.pending(&grace).await;
    neighbour.post("/login/second-factor", &[("code", &graces[0])]).await.redirects_to("/home");
}

#[actix_web::test]
async fn ten_wrong_codes_at_a_confirmation_stop_that_session_only() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let (_, codes) = app.enrol(&mut owner).await;
    let mut thief = owner.copy();
    owner = app.pending(&ada).await;
    owner.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
    thief.get("/confirm").await.is(200);
    for _ in 0..10 {
        thief.post("/confirm", &[("password", ada.password), ("code", "AAAA")]).await.is(422);
    }
    let fields = [("password", ada.password), ("code", codes[1].as_str())];
    thief.post("/confirm", &fields).await.is(429);
    owner.fill_in("/confirm", &fields).await.redirects_to("/home");
    app.wait_out_throttles();
    let fields = [("password", ada.password), ("code", codes[2].as_str())];
    thief.post("/confirm", &fields).await.redirects_to("/home");
}

/// The field that the form sends besides its token: the set that it replaces.
async fn replaces(browser: &mut Browser) -> String {
    let page = browser.get("/account/security").await;
    page.is(200).attribute("form:not([hidden]) > input[name=replaces]", "value").expect("a set")
}

#[actix_web::test]
async fn the_page_with_the_codes_loaded_again_makes_no_others_and_says_what_to_do() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    app.enrol(&mut owner).await;
    let set = replaces(&mut owner).await;
    let shown = owner.post("/account/recovery-codes", &[("replaces", &set)]).await;
    shown.is(200).has_notice("codes-replaced");
    let code = shown.text("li.code").expect("a code");
    for _ in 0..2 {
        owner.post("/account/recovery-codes", &[("replaces", &set)]).await.redirects_to("/account/security");
        owner.get("/account/security").await.has_flash("codes-shown");
    }
    for odd in ["none", "1", "x"] {
        owner.post("/account/recovery-codes", &[("replaces", odd)]).await.redirects_to("/account/security");
    }
    assert_eq!(app.events("recovery-codes-made"), 1);
    let mut browser = app.pending(&ada).await;
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
    // A used code is no reason to refuse new ones.
    let set = replaces(&mut owner).await;
    owner.post("/account/recovery-codes", &[("replaces", &set)]).await.is(200);
}

#[actix_web::test]
async fn two_tabs_that_replace_the_same_codes_at_once_show_one_set() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    app.enrol(&mut owner).await;
    let set = replaces(&mut owner).await;
    let posts = (0..4).map(|_| {
        let (mut tab, set) = (owner.copy(), set.clone());
        async move { tab.post("/account/recovery-codes", &[("replaces", &set)]).await.status }
    });
    let mut statuses = join_all(posts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 303, 303, 303]);
}

#[actix_web::test]
async fn the_page_after_setting_up_an_app_loaded_again_says_that_codes_are_shown_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await.is(200);
    let shown = browser.post("/account/totp/start", &[]).await;
    let key = shown.is(200).text("#key .code").expect("a key");
    let code = AuthenticatorApp::with_key(&key).code(app.step());
    let page = browser.post("/account/totp/finish", &[("code", &code)]).await;
    page.is(200).has_flash("totp-added");
    page.has_notice("codes-for-totp").has_no_notice("codes-replaced");
    browser.post("/account/totp/finish", &[("code", &code)]).await.redirects_to("/account/security");
    let page = browser.get("/account/security").await;
    page.has_flash("codes-shown").has_codes_left(10);
    assert_eq!(app.events("authenticator-added"), 1);
}

#[actix_web::test]
async fn codes_say_what_they_stand_in_for_and_whether_there_were_others() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut device = passkey_of(&app, &ada).await;
    let mut browser = inside(&app, &mut device).await;
    let set = replaces(&mut browser).await;
    assert_eq!(set, "none");
    browser.get("/account/security").await.has_codes_left(0).has_notice("codes-for-passkey");
    let first = browser.post("/account/recovery-codes", &[("replaces", &set)]).await;
    first.is(200).has_notice("codes-for-passkey");
    first.has_no_notice("codes-replaced").has_no_notice("codes-for-totp-or-passkey");
    browser.get("/account/security").await.has_notice("codes-for-passkey");
    let shown = browser.post("/account/totp/start", &[]).await;
    let key = shown.is(200).text("#key .code").expect("a key");
    let code = AuthenticatorApp::with_key(&key).code(app.step());
    browser.post("/account/totp/finish", &[("code", &code)]).await.redirects_to("/account/security");
    let page = browser.get("/account/security").await;
    page.has_notice("codes-for-totp-or-passkey");
    let renewed = browser.post("/account/recovery-codes", &[]).await;
    renewed.is(200).has_notice("codes-replaced");
    renewed.has_notice("codes-for-totp-or-passkey");
    // All codes are used up, so there are no earlier ones that could stop working.
    app.db.execute("DELETE FROM recovery_codes");
    browser.post("/account/recovery-codes", &[]).await.is(200).has_no_notice("codes-replaced");
}
