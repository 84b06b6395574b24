//! The lab: after every step both doors are asked for real, by the browser and by whoever copied what it held.

use latchkey::jwt::{self, Algorithm, Claims, Key, Use};
use latchkey::secret::Secret;
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

const SESSION: &str = "/compare/session";
const TOKEN: &str = "/compare/jwt";

/// A browser with a run of its own.
pub async fn opened(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    browser
}

async fn step(browser: &mut Browser, name: &str) {
    choose(browser, name, "").await;
}

async fn choose(browser: &mut Browser, name: &str, value: &str) {
    browser.get("/compare").await.is(200);
    browser.post(&format!("/compare/{name}"), &[("value", value)]).await.redirects_to("/compare#now");
}

/// Who the door at `path` lets this browser in as; `None` when it is refused.
async fn door(browser: &mut Browser, path: &str) -> Option<String> {
    let answer = browser.get(path).await;
    let said = answer.text(".card p").expect("a verdict");
    match answer.status {
        200 => Some(said.strip_prefix("let in as ").expect("a role").to_owned()),
        401 => {
            assert!(said == "refused" && answer.header("www-authenticate").is_some(), "{said}");
            None
        }
        other => panic!("{other}: {}", answer.body),
    }
}

/// What the session's door and the token's door say.
async fn doors(browser: &mut Browser) -> (Option<String>, Option<String>) {
    (door(browser, SESSION).await, door(browser, TOKEN).await)
}

fn as_(session: &str, token: &str) -> (Option<String>, Option<String>) {
    let role = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (role(session), role(token))
}

/// The verdicts on the page: who asks, then what each side says.
async fn told(browser: &mut Browser) -> Vec<(String, bool, bool)> {
    let page = browser.get("/compare").await;
    page.is(200);
    let html = page.html();
    let select = |text: &str| scraper::Selector::parse(text).expect("a selector");
    let (row, head, cell, good) =
        (select(".verdicts tbody tr"), select("th"), select("td"), select(".chip.is-good"));
    let rows = html.select(&row).filter(|row| row.select(&select(".chip")).next().is_some());
    rows.map(|row| {
        let who: String = row.select(&head).next().expect("a head").text().collect();
        let cells: Vec<bool> = row.select(&cell).map(|cell| cell.select(&good).next().is_some()).collect();
        (who.trim().to_owned(), cells[0], cells[1])
    })
    .collect()
}

#[actix_web::test]
async fn whoever_opens_a_run_is_let_in_on_both_sides_and_nowhere_else() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    assert_eq!(doors(&mut browser).await, as_("", ""));
    let mut browser = opened(&app).await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
    assert_eq!(told(&mut browser).await, [("Your browser".to_owned(), true, true)]);
    assert!(!browser.is_in().await);
    // Not even where the product looks for its own key.
    let key = browser.cookies["latchkey-lab-session"].clone();
    browser.cookies.insert("latchkey".into(), key.replace('=', "%3D").replace('+', "%2B"));
    assert!(!browser.is_in().await);
    let listed = latchkey_sessions::Scope::All;
    let sessions = app.accounts.sessions().clone();
    let counted = app.accounts.db().read(move |conn| sessions.count(conn, listed)).await.unwrap();
    assert_eq!(counted, 0, "the product counts a session of the lab");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions WHERE kind = 'lab'"), 1);
}

#[actix_web::test]
async fn a_role_taken_away_is_gone_at_once_for_the_session_and_stays_in_the_token() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "role").await;
    assert_eq!(doors(&mut browser).await, as_("admin", "member"));
    step(&mut browser, "refresh").await;
    assert_eq!(doors(&mut browser).await, as_("admin", "admin"));
    step(&mut browser, "role").await;
    assert_eq!(doors(&mut browser).await, as_("member", "admin"));
}

#[actix_web::test]
async fn the_disabled_are_refused_by_the_session_and_let_in_by_the_token_until_it_is_refreshed() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "disable").await;
    assert_eq!(doors(&mut browser).await, as_("", "member"));
    choose(&mut browser, "wait", "6-minutes").await;
    assert_eq!(doors(&mut browser).await, as_("", ""));
    step(&mut browser, "refresh").await;
    browser.get("/compare").await.says("Refused: the subject is disabled.");
    step(&mut browser, "log-in").await;
    assert_eq!(doors(&mut browser).await, as_("", ""));
    step(&mut browser, "disable").await;
    step(&mut browser, "log-in").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
}

#[actix_web::test]
async fn a_copy_dies_with_the_session_and_outlives_the_log_out_of_a_token() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    let mut thief = browser.copy();
    step(&mut browser, "copy").await;
    assert_eq!(doors(&mut thief).await, as_("member", "member"));
    step(&mut browser, "log-out").await;
    assert_eq!(doors(&mut browser).await, as_("", ""));
    assert_eq!(doors(&mut thief).await, as_("", "member"));
    let expected = [("Your browser", false, false), ("The thief's browser", false, true)];
    assert_eq!(told(&mut browser).await, expected.map(|(who, a, b)| (who.to_owned(), a, b)));
    // What the log-out did reach: nothing new comes of the old.
    browser.get("/compare").await.is(200);
    step(&mut browser, "copy-refresh").await;
    browser.get("/compare").await.says("Refused: that refresh token is denied.");
}

#[actix_web::test]
async fn logging_out_everywhere_is_one_statement_or_a_list_that_is_asked_each_time() {
    let app = TestApp::spawn();
    for (list, token) in [("none", "member"), ("memory", ""), ("database", "")] {
        let mut browser = opened(&app).await;
        choose(&mut browser, "deny-list", list).await;
        let mut thief = browser.copy();
        step(&mut browser, "log-out-everywhere").await;
        assert_eq!(doors(&mut thief).await, as_("", token), "{list}");
        // The list in memory does not outlive the server.
        step(&mut browser, "restart").await;
        let after = if list == "database" { "" } else { "member" };
        assert_eq!(doors(&mut thief).await, as_("", after), "{list} after a restart");
    }
}

#[actix_web::test]
async fn a_restart_ends_neither_side() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "restart").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
    // Nor does another instance that has never seen either.
    let other = app.beside(|_| {});
    assert_eq!(doors(&mut browser.copy_at(&other.origin)).await, as_("member", "member"));
}

#[actix_web::test]
async fn a_refresh_token_used_twice_ends_its_whole_family_and_a_copied_key_is_not_noticed() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    choose(&mut browser, "deny-list", "database").await;
    step(&mut browser, "copy").await;
    step(&mut browser, "copy-refresh").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
    // The owner comes second, and both are out: where tokens are ahead.
    step(&mut browser, "refresh").await;
    browser.get("/compare").await.says("used before, so every token that came of it is denied");
    let expected = [("Your browser", true, false), ("The thief's browser", true, false)];
    assert_eq!(told(&mut browser).await, expected.map(|(who, a, b)| (who.to_owned(), a, b)));
}

#[actix_web::test]
async fn time_ends_each_side_by_its_own_clock() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    choose(&mut browser, "wait", "6-minutes").await;
    assert_eq!(doors(&mut browser).await, as_("member", ""));
    step(&mut browser, "refresh").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
    choose(&mut browser, "wait", "25-hours").await;
    assert_eq!(doors(&mut browser).await, as_("", ""));
    // The refresh token lives for a week, however little it is used.
    step(&mut browser, "refresh").await;
    assert_eq!(doors(&mut browser).await, as_("", "member"));
    choose(&mut browser, "wait", "8-days").await;
    step(&mut browser, "refresh").await;
    assert_eq!(doors(&mut browser).await, as_("", ""));
}

#[actix_web::test]
async fn a_new_signing_key_is_nothing_to_a_session_and_ends_every_token_when_the_old_is_dropped() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    choose(&mut browser, "signing-key", "keep").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
    choose(&mut browser, "signing-key", "drop").await;
    assert_eq!(doors(&mut browser).await, as_("member", ""));
    step(&mut browser, "refresh").await;
    assert_eq!(doors(&mut browser).await, as_("member", ""));
    step(&mut browser, "log-in").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
}

#[actix_web::test]
async fn a_second_service_asks_the_same_table_or_must_be_named_in_the_token() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    let (session, token) = ("/compare/session?service=desk", "/compare/jwt?service=desk");
    step(&mut browser, "split").await;
    assert_eq!(door(&mut browser, session).await.as_deref(), Some("member"));
    assert_eq!(door(&mut browser, token).await, None, "a token for the shop opened the desk");
    step(&mut browser, "refresh").await;
    assert_eq!(door(&mut browser, token).await.as_deref(), Some("member"));
    // What the shop remembers, the desk has never heard.
    choose(&mut browser, "deny-list", "memory").await;
    let mut thief = browser.copy();
    step(&mut browser, "log-out").await;
    assert_eq!(doors(&mut thief).await, as_("", ""));
    assert_eq!(door(&mut thief, session).await, None);
    assert_eq!(door(&mut thief, token).await.as_deref(), Some("member"));
    browser.get("/compare/jwt?service=nowhere").await.is(404);
}

#[actix_web::test]
async fn whoever_breaks_into_the_desk_makes_tokens_with_a_shared_secret_and_nothing_with_a_public_key() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "split").await;
    step(&mut browser, "forge").await;
    let verdicts = told(&mut browser).await;
    assert_eq!(verdicts[2], ("The thief's browser, at the shop".to_owned(), false, false));
    step(&mut browser, "algorithm").await;
    step(&mut browser, "forge").await;
    let verdicts = told(&mut browser).await;
    assert_eq!(verdicts[2], ("The thief's browser, at the shop".to_owned(), false, true));
    browser.get("/compare").await.says("let in as admin");
}

#[actix_web::test]
async fn of_many_who_refresh_with_one_token_at_once_one_gets_new_ones() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    browser.get("/compare").await.is(200);
    let mut tabs: Vec<Browser> = (0..8).map(|_| browser.copy()).collect();
    let refreshed = tabs.iter_mut().map(|tab| tab.post("/compare/refresh", &[]));
    for answer in futures_util::future::join_all(refreshed).await {
        answer.is(303);
    }
    let renewed = tabs
        .iter()
        .filter(|tab| tab.cookies["latchkey-lab-refresh"] != browser.cookies["latchkey-lab-refresh"])
        .count();
    assert_eq!(renewed, 1);
    // And as the token was used twice, not even that one goes on.
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM lab_tokens WHERE kind = 'refresh' AND denied_at IS NULL"),
        0
    );
}

#[actix_web::test]
async fn a_run_is_over_after_half_an_hour_and_leaves_nothing_behind() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "log-out").await;
    step(&mut browser, "log-in").await;
    app.db.execute(
        "UPDATE lab_runs SET created_at = created_at - interval '31 minutes', expires_at = expires_at - interval '31 minutes'",
    );
    assert_eq!(doors(&mut browser).await, as_("", ""));
    browser.get("/compare").await.says("Open a run");
    browser.post("/compare/role", &[]).await.redirects_to("/compare");
    browser.get("/compare").await.says("That run is over");
    // Whoever comes next sweeps.
    opened(&app).await;
    let left = |table: &str| app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}"));
    assert_eq!((left("lab_runs"), left("lab_tokens"), left("sessions")), (1, 2, 1));
}

#[actix_web::test]
async fn ending_a_run_takes_everything_back_at_once() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    let mut thief = browser.copy();
    browser.get("/compare").await.is(200);
    browser.post("/compare/end", &[]).await.redirects_to("/compare");
    assert!(!browser.cookies.keys().any(|name| name.contains("lab")), "{:?}", browser.cookies);
    assert_eq!(doors(&mut thief).await, as_("", ""));
    let left = |table: &str| app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}"));
    // That there was one counts for half an hour, so that nobody makes room by ending.
    assert_eq!((left("lab_runs"), left("lab_tokens"), left("sessions")), (1, 0, 0));
}

#[actix_web::test]
async fn runs_are_bounded_by_network_and_steps_by_run() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    app.db.execute("UPDATE lab_runs SET step_count = 300");
    browser.get("/compare").await.is(200);
    browser.post("/compare/role", &[]).await.redirects_to("/compare");
    assert_eq!(door(&mut browser, SESSION).await.as_deref(), Some("member"));
    app.db.execute(
        "INSERT INTO lab_runs (key_hash, address, expires_at) \
         SELECT sha256(n::text::bytea), r.address, r.expires_at FROM lab_runs r, generate_series(1, 39) n",
    );
    let mut other = app.browser();
    other.get("/compare").await.is(200);
    other.post("/compare/start", &[]).await.is(429).says("many runs from your network");
}

#[actix_web::test]
async fn a_step_that_is_none_is_not_found_and_one_of_another_site_is_forbidden() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    browser.get("/compare").await.is(200);
    browser.post("/compare/nothing", &[]).await.is(404);
    browser.post("/compare/wait", &[("value", "forever")]).await.is(404);
    browser.post("/compare/wait", &[("other", "field")]).await.is(404);
    browser.post_bare("/compare/role", &[]).await.is(403);
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
}

#[actix_web::test]
async fn the_credentials_are_cookies_that_scripts_and_other_pages_never_see() {
    let app = TestApp::spawn_with(|settings| {
        settings.server.public = latchkey::config::Origin::parse("https://example.org").unwrap();
    });
    let mut browser = app.browser();
    browser.headers.push(("origin", "https://example.org".into()));
    browser.get("/compare").await.is(200);
    let answer = browser.post("/compare/start", &[]).await;
    for name in ["run", "session", "access", "refresh"] {
        let cookie = answer.cookie(&format!("__Secure-latchkey-lab-{name}")).expect("a cookie").to_owned();
        for word in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/compare", "Max-Age=1800"] {
            assert!(cookie.contains(word), "{cookie}");
        }
    }
}

#[actix_web::test]
async fn every_verdict_names_the_line_that_decided() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    step(&mut browser, "copy").await;
    step(&mut browser, "log-out").await;
    let page = browser.get("/compare").await;
    let html = page.html();
    let select = |text: &str| scraper::Selector::parse(text).expect("a selector");
    let mut lines = 0;
    for decided in html.select(&select(".decided")) {
        let code: Vec<String> = decided.select(&select("code")).map(|code| code.text().collect()).collect();
        let (file, number) = code[0].split_once(':').expect("file:line");
        let source = std::fs::read_to_string(file).expect("a source");
        let line = source.lines().nth(number.parse::<usize>().unwrap() - 1).expect("that line");
        assert_eq!(line.trim(), code[1]);
        lines += 1;
    }
    assert_eq!(lines, 4);
}

#[actix_web::test]
async fn every_link_within_the_page_leads_somewhere_before_a_run_and_in_it() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let lead_nowhere = |page: &Answer| -> Vec<String> {
        let (html, links) = (page.html(), scraper::Selector::parse("main a[href^='#']").expect("a selector"));
        let leads = |link: &str| html.select(&scraper::Selector::parse(link).expect("an id")).count() == 1;
        let links: Vec<String> =
            html.select(&links).filter_map(|link| link.attr("href")).map(str::to_owned).collect();
        assert!(links.len() > 5, "{links:?}");
        links.into_iter().filter(|link| !leads(link)).collect()
    };
    assert_eq!(lead_nowhere(&browser.get("/compare").await), [""; 0]);
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    assert_eq!(lead_nowhere(&browser.get("/compare").await), [""; 0]);
}

/// The secret of the tests, which the lab's signing keys come from.
fn secret() -> Secret {
    Secret::parse("only-for-tests-0123456789-abcdefghijkl").unwrap()
}

fn seed(run: &str, algorithm: Algorithm) -> [u8; 32] {
    let run: uuid::Uuid = run.parse().unwrap();
    secret().mac("lab-signing-key", &[run.as_bytes(), algorithm.name().as_bytes(), b"1"])
}

fn payload(token: &str) -> Value {
    serde_json::from_str(&jwt::read(token).expect("a readable token").payload).unwrap()
}

/// Each differs in one thing from a token that is let in.
#[actix_web::test]
async fn the_real_door_refuses_whatever_is_wrong_with_a_token() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    let held = browser.cookies["latchkey-lab-access"].clone();
    let mine: Claims = serde_json::from_value(payload(&held)).unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let good = Key::new(Algorithm::EdDsa, "lab-eddsa-1", &seed(&mine.sub, Algorithm::EdDsa));
    let shared = Key::new(Algorithm::Hs256, "lab-hs256-1", &seed(&mine.sub, Algorithm::Hs256));
    let renamed = Key::new(Algorithm::Hs256, "lab-eddsa-1", &seed(&mine.sub, Algorithm::Hs256));
    let stranger = Key::new(Algorithm::EdDsa, "lab-eddsa-1", &[7; 32]);
    let unknown = Key::new(Algorithm::EdDsa, "lab-eddsa-9", &seed(&mine.sub, Algorithm::EdDsa));
    let with = |change: fn(&mut Claims, i64)| {
        let mut claims = mine.clone();
        change(&mut claims, now);
        claims
    };
    let sign = |key: &Key, claims: &Claims| jwt::sign(key, Use::Access, claims).unwrap();
    let [header, body, signature] = held.split('.').collect::<Vec<_>>()[..] else { panic!("{held}") };
    let none = latchkey::secret::encode(br#"{"typ":"at+jwt","alg":"none","kid":"lab-eddsa-1"}"#);
    let richer = latchkey::secret::encode(payload(&held).to_string().replace("member", "admin").as_bytes());
    let wrong = [
        ("alg none", format!("{none}.{body}.")),
        ("alg none with a signature", format!("{none}.{body}.{signature}")),
        ("another payload", format!("{header}.{richer}.{signature}")),
        ("no signature", format!("{header}.{body}.")),
        ("HS256 where EdDSA is asked for", sign(&shared, &mine)),
        ("HS256 by the name of the other key", sign(&renamed, &mine)),
        ("somebody else's key", sign(&stranger, &mine)),
        ("an unknown key", sign(&unknown, &mine)),
        ("expired", sign(&good, &with(|claims, now| claims.exp = now - 1))),
        ("issued tomorrow", sign(&good, &with(|claims, now| claims.iat = now + 86_400))),
        ("another audience", sign(&good, &with(|claims, _| claims.aud = vec!["desk".into()]))),
        ("another issuer", sign(&good, &with(|claims, _| claims.iss = "elsewhere".into()))),
        ("no role", sign(&good, &with(|claims, _| claims.role = "root".into()))),
        ("another subject", sign(&good, &with(|claims, _| claims.sub = uuid::Uuid::nil().to_string()))),
        ("a refresh token", browser.cookies["latchkey-lab-refresh"].clone()),
    ];
    browser.headers.push(("authorization", format!("Bearer {}", sign(&good, &mine))));
    assert_eq!(door(&mut browser, TOKEN).await.as_deref(), Some("member"), "a token that is right");
    for (what, token) in wrong {
        browser.headers[0].1 = format!("Bearer {token}");
        assert_eq!(door(&mut browser, TOKEN).await, None, "{what}");
    }
    // Nor is what the thief of the table finds there a key.
    browser.headers.clear();
    let hash: String = app.db.scalar("SELECT encode(key_hash, 'base64') FROM sessions WHERE kind = 'lab'");
    let hash = hash.replace('+', "-").replace('/', "_").replace('=', "");
    let signer = latchkey::secret::CookieSigner::new(&secret());
    let mine = browser.cookies.insert("latchkey-lab-session".into(), signer.sign(&hash)).unwrap();
    assert_eq!(door(&mut browser, SESSION).await, None);
    // Nor a key whose signature is gone, nor that of another run.
    browser.cookies.insert("latchkey-lab-session".into(), mine[mine.len() - 43..].to_owned());
    assert_eq!(door(&mut browser, SESSION).await, None);
    let other = opened(&app).await;
    browser.cookies.insert("latchkey-lab-session".into(), other.cookies["latchkey-lab-session"].clone());
    assert_eq!(door(&mut browser, SESSION).await, None);
}

#[actix_web::test]
async fn a_deny_list_reaches_whoever_is_disabled_or_demoted_and_whatever_key_signed_their_token() {
    let app = TestApp::spawn();
    for list in ["memory", "database"] {
        let mut browser = opened(&app).await;
        choose(&mut browser, "deny-list", list).await;
        step(&mut browser, "role").await;
        assert_eq!(doors(&mut browser).await, as_("admin", ""), "{list}");
        step(&mut browser, "refresh").await;
        assert_eq!(doors(&mut browser).await, as_("admin", "admin"), "{list}");
        step(&mut browser, "disable").await;
        assert_eq!(doors(&mut browser).await, as_("", ""), "{list}");
    }
    // Logged out while another algorithm was in use: the old token is denied all the same.
    let mut browser = opened(&app).await;
    choose(&mut browser, "deny-list", "database").await;
    let mut thief = browser.copy();
    step(&mut browser, "algorithm").await;
    step(&mut browser, "log-out").await;
    step(&mut browser, "algorithm").await;
    assert_eq!(doors(&mut thief).await, as_("", ""));
}

#[actix_web::test]
async fn an_old_key_that_was_replaced_in_good_time_is_dropped_without_a_log_out() {
    let app = TestApp::spawn();
    let mut browser = opened(&app).await;
    choose(&mut browser, "signing-key", "keep").await;
    step(&mut browser, "refresh").await;
    choose(&mut browser, "signing-key", "drop").await;
    assert_eq!(doors(&mut browser).await, as_("member", "member"));
}

#[actix_web::test]
async fn administrators_count_people_and_nobody_of_the_lab() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = opened(&app).await;
    choose(&mut browser, "wait", "8-days").await;
    let page = app.logged_in(&grace).await.get("/admin").await;
    page.is(200).says("1 opened today");
}
