//! Authenticator apps: setup, use, lock-out and removal.

use actix_web::rt::spawn;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use crate::support::app::TestApp;
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::process::eventually;
use crate::support::subjects;

#[actix_web::test]
async fn an_app_counts_only_once_it_has_shown_the_right_code() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await.is(200);
    let shown = browser.post("/account/totp/start", &[]).await;
    let key = shown.is(200).text("#key .code").unwrap();
    assert_eq!(key.replace(' ', "").len(), 32);
    assert_eq!(shown.count("svg.qr path"), 1);
    let authenticator = AuthenticatorApp::with_key(&key);
    // Before the set-up is finished, the password is enough.
    app.logged_in(&ada).await;
    for wrong in [authenticator.wrong_code(&app), String::new(), "12345".into(), "x".repeat(5000)] {
        let again = browser.post("/account/totp/finish", &[("code", &wrong)]).await;
        assert_eq!(again.is(422).text("#key .code").unwrap(), key);
    }
    app.logged_in(&ada).await;
    let done = browser.post("/account/totp/finish", &[("code", &authenticator.code(app.step()))]).await;
    assert_eq!(done.is(200).count(".codes li"), 10);
    app.pending(&ada).await;
    app.letter(ada.email, subjects::FACTOR_ADDED).await;
    assert_eq!(app.events("authenticator-added"), 1);
    let page = browser.get("/account/security").await;
    page.is(200).has_codes_left(10).does_not_say(&key);
    for path in ["start", "finish"] {
        let again = browser.post(&format!("/account/totp/{path}"), &[]).await;
        again.redirects_to("/account/security").does_not_say(&key);
    }
}

#[actix_web::test]
async fn an_app_that_is_set_up_too_late_or_anew_does_not_count() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await;
    browser.post("/account/totp/finish", &[("code", "123456")]).await.redirects_to("/account/security");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let shown = browser.post("/account/totp/start", &[]).await;
        keys.push(AuthenticatorApp::with_key(&shown.text("#key .code").unwrap()));
    }
    let first = keys[0].code(app.step());
    browser.post("/account/totp/finish", &[("code", &first)]).await.is(422);
    app.db.execute("UPDATE totp SET created_at = created_at - interval '61 minutes'");
    let second = keys[1].code(app.step());
    browser.post("/account/totp/finish", &[("code", &second)]).await.redirects_to("/account/security");
    app.logged_in(&ada).await;
}

#[actix_web::test]
async fn setting_up_twice_at_once_happens_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await;
    let shown = browser.post("/account/totp/start", &[]).await;
    let code = AuthenticatorApp::with_key(&shown.text("#key .code").unwrap()).code(app.step());
    let mut copies: Vec<_> = (0..12).map(|_| browser.copy()).collect();
    let fields = [("code", code.as_str())];
    let answers = join_all(copies.iter_mut().map(|copy| copy.post("/account/totp/finish", &fields))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(app.events("authenticator-added"), 1);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 10);
}

#[actix_web::test]
async fn the_code_that_set_the_app_up_and_every_other_logs_in_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let step = app.step();
    app.db.execute(&format!("UPDATE totp SET last_step = {step}"));
    let mut browser = app.pending(&ada).await;
    let code = authenticator.code(step);
    browser.post("/login/second-factor", &[("code", &code)]).await.is(422);
    // The code of the previous step is still accepted, then used up; none of this counts as a guess.
    app.db.execute(&format!("UPDATE totp SET last_step = {step} - 2"));
    let before = authenticator.code(app.step() - 1);
    browser.post("/login/second-factor", &[("code", &before)]).await.redirects_to("/home");
    let mut browser = app.pending(&ada).await;
    browser.post("/login/second-factor", &[("code", &before)]).await.is(422);
    assert_eq!(app.db.scalar::<i64>("SELECT failures::bigint FROM totp"), 0);
    app.age_codes();
    for offset in [-3, 3] {
        let code = authenticator.code(app.step() + offset);
        browser.post("/login/second-factor", &[("code", &code)]).await.is(422);
    }
    let spaced = app.fresh_code(&authenticator);
    let spaced = format!(" {} {} ", &spaced[..3], &spaced[3..]);
    browser.post("/login/second-factor", &[("code", &spaced)]).await.redirects_to("/home");
    assert_eq!(app.db.scalar::<i64>("SELECT failures::bigint FROM totp"), 0);
}

/// A phone whose clock is ahead shows the next code. After its use, the last accepted step never goes back.
#[actix_web::test]
async fn the_next_code_logs_in_and_the_ones_before_it_are_used_up() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    app.age_codes();
    let ahead = app.step() + 1;
    let mut browser = app.pending(&ada).await;
    let code = authenticator.code(ahead);
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
    assert_eq!(app.db.scalar::<i64>("SELECT last_step FROM totp"), ahead);
    let mut browser = app.pending(&ada).await;
    for used in [ahead, ahead - 1, ahead - 2] {
        browser.post("/login/second-factor", &[("code", &authenticator.code(used))]).await.is(422);
    }
    assert_eq!(app.db.scalar::<i64>("SELECT last_step FROM totp"), ahead);
}

#[actix_web::test]
async fn a_code_is_read_in_the_digits_of_the_keyboard_it_was_typed_on() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, recovery) = app.enrol(&mut app.logged_in(&ada).await).await;
    for zero in ['\u{9e6}', '\u{1040}', '\u{1e950}'] {
        let code = app.fresh_code(&authenticator);
        let digit = |c: char| char::from_u32(u32::from(zero) + c.to_digit(10).unwrap()).unwrap();
        let typed: String = code.chars().map(digit).flat_map(|c| [c, '\u{2060}']).collect();
        let mut browser = app.pending(&ada).await;
        browser.post("/login/second-factor", &[("code", &typed)]).await.redirects_to("/home");
    }
    let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
    let typed: String = recovery[0].chars().map(wide).collect();
    let mut browser = app.pending(&ada).await;
    browser.post("/login/second-factor", &[("code", &typed)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn one_code_in_ten_parallel_log_ins_opens_one_session() {
    let app = TestApp::spawn_wide(10);
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let mut browsers = Vec::new();
    for _ in 0..10 {
        browsers.push(app.pending(&ada).await);
    }
    app.db.execute("DELETE FROM sessions");
    let code = app.fresh_code(&authenticator);
    let fields = [("code", code.as_str())];
    let posts = join_all(browsers.iter_mut().map(|browser| browser.post("/login/second-factor", &fields)));
    let answers = app.all_at_once(&ada, 10, posts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_sent_to("/home")).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 9);
    assert_eq!(app.live_sessions(&ada), 1);
    // Nine double clicks do not lock the app.
    assert_eq!(app.db.scalar::<i64>("SELECT failures::bigint FROM totp"), 0);
}

#[actix_web::test]
async fn of_a_hundred_parallel_guesses_ten_are_looked_at_and_then_the_app_is_locked() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let (authenticator, recovery) = app.enrol(&mut owner).await;
    let browser = app.pending(&ada).await;
    let mut copies: Vec<_> = (0..100).map(|_| browser.copy()).collect();
    let wrong = authenticator.wrong_code(&app);
    let fields = [("code", wrong.as_str())];
    let answers = join_all(copies.iter_mut().map(|copy| copy.post("/login/second-factor", &fields))).await;
    assert!(answers.iter().all(|answer| answer.status == 422));
    assert_eq!((app.events("second-factor-refused"), app.events("authenticator-locked")), (10, 1));
    assert_eq!(app.db.scalar::<i64>("SELECT failures::bigint FROM totp"), 10);
    let letters = app.letters().await;
    assert_eq!(letters.iter().filter(|it| it.subject == subjects::FACTOR_LOCKED).count(), 1);

    // The right code is refused from now on, a recovery code is accepted.
    let mut browser = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    browser.post("/login/second-factor", &[("code", &code)]).await.is(422).is_refused("locked");
    browser.post("/login/second-factor", &[("code", &recovery[0])]).await.redirects_to("/home");
    browser.get("/account/security").await.is(200).has_notice("totp-locked");
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.get(&format!("/admin/users/{}", ada.id)).await.has_notice("totp-locked");
    // After a new set-up the app works again.
    browser.get("/account/security").await;
    browser.post("/account/totp/remove", &[]).await.redirects_to("/account/security");
    let (authenticator, _) = app.enrol(&mut browser).await;
    let mut browser = app.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn a_right_code_forgets_the_wrong_ones_before_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    for _ in 0..2 {
        let mut browser = app.pending(&ada).await;
        let wrong = authenticator.wrong_code(&app);
        for _ in 0..9 {
            browser.post("/login/second-factor", &[("code", &wrong)]).await.is(422);
        }
        let code = app.fresh_code(&authenticator);
        browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
    }
}

#[actix_web::test]
async fn removing_the_app_takes_the_recovery_codes_with_it_and_is_told() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.enrol(&mut browser).await;
    browser.get("/account/security").await;
    browser.post("/account/totp/remove", &[]).await.redirects_to("/account/security");
    browser.post("/account/totp/remove", &[]).await.is(404);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM recovery_codes"), 0);
    app.letter(ada.email, subjects::FACTOR_REMOVED).await;
    app.logged_in(&ada).await;
}

#[actix_web::test]
async fn nothing_that_is_shown_lies_in_the_database() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, codes) = app.enrol(&mut app.logged_in(&ada).await).await;
    let pending = app.pending(&ada).await;
    let dump = app.dump();
    assert!(
        dump.contains("totp (") && dump.contains("recovery_codes (") && dump.contains("pending_logins (")
    );
    let key = pending.key();
    let bare: Vec<String> = codes.iter().map(|code| code.replace('-', "")).collect();
    let seeds = [authenticator.seed().to_vec(), BASE64URL_NOPAD.decode(key.as_bytes()).unwrap()];
    let decoded = bare.iter().map(|code| AuthenticatorApp::with_key(code).seed().to_vec()).chain(seeds);
    let texts: Vec<&String> = codes.iter().chain(&bare).chain([&key]).collect();
    // As text, and as hexadecimal, which is how a bytea is dumped: of the text and of the bytes that it encodes.
    for secret in &texts {
        assert!(!dump.contains(*secret) && !dump.contains(&HEXLOWER.encode(secret.as_bytes())), "{secret}");
    }
    for secret in decoded {
        assert!(secret.len() >= 16 && !dump.contains(&HEXLOWER.encode(&secret)), "{secret:?}");
    }
    // The search finds values that are there.
    let hash = Sha256::digest(BASE64URL_NOPAD.decode(key.as_bytes()).unwrap());
    assert!(dump.contains(&HEXLOWER.encode(&hash)) || dump.contains(&HEXLOWER.encode(&Sha256::digest(&key))));
}

#[actix_web::test]
async fn seeds_outlive_a_change_of_secret() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let sealed = format!("SELECT encode(sealed_seed, 'hex') FROM totp WHERE user_id = '{}'", ada.id);
    let before: String = app.db.scalar(&sealed);
    let secret =
        || latchkey::secret::Secret::parse("another-one-0123456789-zyxwvutsrqpon").expect("a secret");
    let changing = app.beside(|settings| {
        settings.secret = secret().with_previous(Some(settings.secret.clone()));
    });
    // More users than one batch, none of whose seeds can be opened, and Ada among them.
    app.db.execute(
        "WITH many AS (INSERT INTO users (email, email_key, name, role) \
             SELECT n || '@example.org', n || '@example.org', 'Many', 'member' FROM generate_series(1, 1100) n RETURNING id) \
         INSERT INTO totp (user_id, sealed_seed, active_at) SELECT id, '\\x00000000', now() FROM many",
    );
    changing.accounts.maintenance.purge().await.expect("upkeep");
    assert_eq!(changing.accounts.maintenance.purge().await.expect("upkeep"), 0);
    assert_ne!(app.db.scalar::<String>(&sealed), before);
    let changed = app.beside(|settings| settings.secret = secret());
    let mut browser = changed.pending(&ada).await;
    let code = app.fresh_code(&authenticator);
    browser.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn undoing_an_added_app_removes_everything_that_a_thief_could_still_use() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut thief = app.logged_in(&ada).await;
    let (authenticator, _) = app.enrol(&mut thief).await;
    let mut waiting = app.pending(&ada).await;
    let letter = app.letter(ada.email, subjects::FACTOR_ADDED).await;

    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200).is_page("mailed_link");
    assert!(thief.is_in().await, "looking at the letter does nothing");
    owner.post("/undo-factor", &[("token", &letter.token())]).await.redirects_to("/login");
    assert!(!thief.is_in().await);
    let code = authenticator.code(app.step());
    waiting.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/login");
    // The thief may know the password.
    app.browser().log_in(ada.email, ada.password).await.is(422);
    owner.post("/undo-factor", &[("token", &letter.token())]).await.is(422);

    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let fields = [("token", reset.token()), ("password", "gravel tuba otter lemon".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    owner.post("/reset-password", &fields).await.redirects_to("/login");
    owner.log_in(ada.email, "gravel tuba otter lemon").await.redirects_to("/home");
    for table in ["totp", "recovery_codes", "pending_logins"] {
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(app.events("factor-disowned"), 1);
}

#[actix_web::test]
async fn a_session_that_ended_while_its_form_arrived_adds_no_factor() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/security").await.is(200);
    let shown = browser.post("/account/totp/start", &[]).await;
    let authenticator = AuthenticatorApp::with_key(&shown.text("#key .code").unwrap());
    let code = authenticator.code(app.step());

    // After the guard, the request waits for the user's row, which a reset has locked.
    let mut resetting = app.db.connect();
    resetting.batch_execute("BEGIN; SELECT FROM users FOR UPDATE").unwrap();
    let finishing =
        spawn(async move { browser.post("/account/totp/finish", &[("code", &code)]).await.status });
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
    eventually("a form that waits", async || app.db.scalar::<bool>(waits).then_some(())).await;
    resetting.batch_execute("UPDATE sessions SET revoked_at = now(); COMMIT").unwrap();
    assert_ne!(finishing.await.unwrap(), 200);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM totp WHERE active_at IS NOT NULL"), 0);
}
