//! A server with users, sessions, emails and a history, and a tour of every page and refusal.

use std::time::Duration;

use actix_web::http::header;
use latchkey::apps::{
    Access, AccessList, App, AppOrigin, PathMatch, RequiredFactor, Rule, RulePath, RuleScope, Slug, Upstream,
};
use latchkey::config::UpstreamsFrom;
use latchkey::identity::{Client, GroupName, UserId};
use latchkey::tokens::NewToken;
use latchkey::web::routes::{self, Method};
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::chrome::Chrome;
use crate::support::tokens::new_token;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Visitor,
    Ada,
    Grace,
}

/// A stop of the tour: a page, or the response to its form.
pub struct Stop {
    pub page: String,
    pub sent: Option<Sent>,
}

pub struct Sent {
    action: String,
    fields: &'static [(&'static str, &'static str)],
    /// Only pages that show a form again have this.
    sign: &'static str,
}

pub struct House {
    pub app: TestApp,
    pub ada: Person,
    pub grace: Person,
    /// A user whose account is disabled.
    pub gone: Uuid,
    /// An email in the mailbox.
    letter: Uuid,
    pub reset_path: String,
    pub invite_path: String,
    /// Mailed links whose page is one button, each live.
    pub links: Vec<String>,
}

const DEVICES: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
];

/// Enough users for second pages, with names of every length, and days with different numbers of events.
const HISTORY: &str = "
    INSERT INTO users (email, email_key, name, created_at, last_login_at)
    SELECT lower(split_part(name, ' ', 1)) || n || '@example.org', lower(split_part(name, ' ', 1)) || n || '@example.org', name,
           now() - n * interval '31 hours', CASE WHEN n % 7 > 0 THEN now() - n * interval '5 hours' END
    FROM unnest(ARRAY['Annie Easley', 'Barbara Liskov', 'Charles Babbage', 'Dorothy Vaughan', 'Edsger Dijkstra',
        'Frances Allen', 'Gladys West', 'Hedy Lamarr', 'Ida Rhodes', 'Jean Bartik', 'Katherine Johnson',
        'Lynn Conway', 'Margaret Hamilton', 'Niklaus Wirth', 'Ole-Johan Dahl', 'Peter Naur',
        'Radia Perlman', 'Sophie Wilson', 'Tony Hoare', 'Ursula Martin', 'Valérie Thomas', 'William Gosset',
        'Xia Peisu', 'Yvonne Choquet-Bruhat', 'Zuse Konrad Ernst Otto', 'Augusta Ada King, Countess of Lovelace',
        'Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren']) WITH ORDINALITY AS people (name, n);
    UPDATE users SET created_at = now() - interval '40 days' WHERE email IN ('ada@example.org', 'grace@example.org');
    UPDATE users SET disabled_at = now() - interval '2 days' WHERE name = 'Charles Babbage';
    INSERT INTO audit_events (at, act, actor, subject, address, user_agent)
    SELECT now() - n * interval '7 hours', (ARRAY['logged-in', 'confirmed', 'logged-in', 'log-in-refused', 'logged-out',
               'password-changed', 'session-revoked', 'role-changed', 'reset-requested', 'name-changed'])[n % 10 + 1],
           CASE WHEN n % 10 IN (3, 8) THEN NULL WHEN n % 10 = 7 THEN (SELECT id FROM users WHERE role = 'admin') ELSE subject.id END,
           subject.id, '203.0.113.' || n, user_agent
    FROM generate_series(40, 1, -1) n, (SELECT id FROM users WHERE email LIKE 'ada@%') subject, (SELECT max(user_agent) AS user_agent FROM sessions) seen;
    INSERT INTO audit_events (at, act, actor, subject, address)
    SELECT now() - (n * 3.3 + length(name) * n % 5) * interval '1 day', 'logged-in', id, id, '192.0.2.61'
    FROM users, generate_series(0, 3) n WHERE last_login_at IS NOT NULL AND email <> 'ada@example.org' ORDER BY 1;
    UPDATE sessions SET address = '198.51.100.24', created_at = now() - interval '2 days', last_seen_at = now() - interval '3 hours', expires_at = now() + interval '21 hours'
    WHERE user_agent LIKE '%iPhone%';
    UPDATE sessions SET address = '2001:db8:85a3:8d3:1319:8a2e:370:7348', remember = true,
        created_at = now() - interval '6 days', last_seen_at = now() - interval '5 days', expires_at = now() + interval '24 days'
    WHERE user_agent LIKE '%Windows%';
    INSERT INTO invitations (token_hash, email, invited_by, created_at, expires_at, accepted_at, withdrawn_at)
    SELECT decode(md5(email) || md5(email || '2'), 'hex'), email, (SELECT id FROM users WHERE role = 'admin'), now() - age, now() - age + interval '7 days', accepted, withdrawn
    FROM (VALUES ('barbara@example.org', interval '3 days', now(), NULL), ('charles@example.org', interval '3 days', NULL, now()),
                 ('a-rather-long-address-for-a-rather-short-person@a-department.university.example.org', interval '9 days', NULL::timestamptz, NULL::timestamptz))
        AS sent (email, age, accepted, withdrawn);";

/// Ada's app, set up after she logged in: from then on her password alone is not enough.
const PASSKEYS: &str = "
    INSERT INTO passkeys (id, user_id, credential_id, credential, name, created_at, last_used_at, suspect_since)
    SELECT id::uuid, (SELECT id FROM users WHERE email = 'ada@example.org'), sha256(name::bytea), '{}', name, now() - made, now() - used, now() - refused
    FROM (VALUES ('00000000-0000-4000-8000-000000000001', 'Analytical Engine', interval '40 days', interval '3 hours', NULL),
                 ('00000000-0000-4000-8000-000000000002', 'Chrome on Windows', interval '12 days', NULL, NULL),
                 ('00000000-0000-4000-8000-000000000003', 'The key on the ring beside the letter box, in the drawer', interval '90 days', interval '8 days', interval '2 days'))
        AS made (id, name, made, used, refused) ON CONFLICT DO NOTHING;";

/// What an administrator tries on the page of an app.
pub const TRIED: &str = "/admin/apps/wiki/try?as=ada%40example.org&method=GET&path=%2Fadmin%2Fusers";

/// A handoff to an app that lets in neither Ada nor Grace.
pub const REFUSED: &str =
    "/go/reports?state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&at=reports.localhost%3A8080&to=%2F";

/// Each of Ada's sessions has used an app or two.
const USED_APPS: &str = "
    INSERT INTO session_keys (key_hash, session, scope, origin, proved_at, created_at, last_seen_at)
    SELECT sha256((handle::text || slug)::bytea), handle, apps.id, 'http://' || slug || '.localhost:8080', sessions.created_at, sessions.created_at, last_seen_at
    FROM sessions, apps WHERE principal = (SELECT id FROM users WHERE email = 'ada@example.org') AND slug IN ('wiki', 'chat')
        AND (slug = 'wiki' OR user_agent LIKE '%iPhone%') ON CONFLICT DO NOTHING;";

/// Groups, and apps with rules of every kind.
async fn add_apps(app: &TestApp, ada: &Person, grace: &Person) {
    let (apps, groups) = (&app.accounts.apps, &app.accounts.groups);
    let operator = Client::operator;
    let actor = Some(UserId(grace.id));
    let group = |name| GroupName::parse(name).expect("a group");
    for (name, note) in [
        ("staff", "Everyone on the payroll"),
        ("wiki-admins", ""),
        ("finance", "Closes the books; asks for a second factor everywhere"),
    ] {
        groups.add(actor, group(name), note, operator()).await.expect("a new group");
    }
    for person in [ada, grace] {
        groups.join(actor, &group("staff"), UserId(person.id), operator()).await.expect("a member");
    }
    let listed = |names: &[&'static str]| {
        let groups = names.iter().map(|name| group(name)).collect();
        Rule::everywhere(Access::Listed(AccessList { groups, ..AccessList::default() }))
    };
    let below = |path| RuleScope {
        path: PathMatch::Below(RulePath::parse(path).expect("a path")),
        ..RuleScope::default()
    };
    // As on the port of `bin/run`, because pictures show it. The server finds apps without their port.
    let new = |slug: &str, name: &str, rules: Vec<Rule>| {
        let origin = AppOrigin::parse(&format!("http://{slug}.localhost:8080")).expect("an origin");
        let upstream = Upstream::parse("http://127.0.0.1:3000", None).expect("an upstream");
        let slug = Slug::parse(slug).expect("a slug");
        App { name: name.to_owned(), rules, ..App::new(slug, Some(upstream), vec![origin]) }
    };
    let mut administration = listed(&["wiki-admins"]);
    administration.when = below("/admin");
    administration.fresh = Some(Duration::from_secs(600));
    administration.factor = RequiredFactor::Two;
    administration.note = "Deletes pages for good".to_owned();
    let mut office = Rule::everywhere(Access::Open);
    office.when = RuleScope {
        methods: vec!["GET".to_owned()],
        networks: vec!["10.0.0.0/8".parse().expect("a network"), "2001:db8::/32".parse().expect("a network")],
        ..below("/public")
    };
    for registered in [
        new("wiki", "Wiki", vec![office, administration, listed(&["staff", "wiki-admins"])]),
        new("chat", "Chat", vec![Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) }]),
        new("reports", "Quarterly reports of the whole company, with appendices", vec![listed(&["finance"])]),
    ] {
        apps.add(None, registered, operator()).await.expect("a new app");
    }
    app.db.execute("UPDATE apps SET enabled = true, source = 'file' WHERE slug = 'reports'");
}

/// Ada's tokens: one that is used, and one for an app, with a name as long as names may be.
async fn add_tokens(app: &TestApp, ada: &Person) {
    let long = "The calendar on the phone in the kitchen, which also shows the birthdays of all ".trim_end();
    for (name, scope) in [("Nightly backup", "me"), (long, "app:chat")] {
        let token = NewToken { name: name.to_owned(), ..new_token(ada, &[scope]) };
        app.accounts.tokens.create(token, Client::operator()).await.expect("a token");
    }
    app.db
        .execute("UPDATE tokens SET last_used_at = now() - interval '3 hours' WHERE name = 'Nightly backup'");
}

impl House {
    pub async fn furnish() -> Self {
        let app = TestApp::spawn_with(|settings| settings.apps.upstreams_from = UpstreamsFrom::Admin);
        let (ada, grace) = (app.ada().await, app.grace().await);
        for device in DEVICES {
            let mut browser = app.browser();
            browser.headers.push((header::USER_AGENT.as_str(), device.to_owned()));
            browser.log_in(ada.email, ada.password).await.is(303);
            browser.fill_in("/account/email", &[("email", "countess@example.org")]).await.is(303);
        }
        for _ in 0..5 {
            app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
        }
        app.db.execute("DELETE FROM throttles; DELETE FROM password_lanes");
        app.db.execute(HISTORY);
        // Each of these sends an email.
        let mut stranger = app.browser();
        let mary = ("email", "mary@example.org");
        let known = ("email", ada.email);
        let (name, password) = (("name", "Mary"), ("password", "on the connexion of the sciences"));
        stranger.fill_in("/register", &[name, mary, password]).await.is(303);
        stranger.fill_in("/register", &[name, known, password]).await.is(303);
        stranger.fill_in("/forgot-password", &[known]).await.is(303);
        let mut admin = app.logged_in(&grace).await;
        admin.fill_in("/admin/invitations", &[("email", "radia@example.org")]).await.is(303);
        let gone = app.db.scalar::<String>("SELECT id::text FROM users WHERE disabled_at IS NOT NULL");
        add_apps(&app, &ada, &grace).await;
        add_tokens(&app, &ada).await;
        let mut house = Self {
            app,
            ada,
            grace,
            gone: gone.parse().expect("an id"),
            letter: Uuid::nil(),
            reset_path: String::new(),
            invite_path: String::new(),
            links: Vec::new(),
        };
        for letter in house.letters().await {
            house.letter = letter.id;
            let Some(link) = letter
                .text
                .split_whitespace()
                .find(|word| word.contains("token=") || word.contains("invite="))
            else {
                continue;
            };
            let path = link.strip_prefix(&house.app.origin).expect("a link of ours").to_owned();
            match path.split('?').next() {
                Some("/reset-password") => house.reset_path = path,
                Some("/register") => house.invite_path = path,
                Some(
                    "/verify-email" | "/unlock" | "/not-me" | "/confirm-email" | "/undo-email"
                    | "/undo-factor",
                ) => house.links.push(path),
                _ => {}
            }
        }
        house
    }

    /// Every kind of email.
    pub async fn letters(&self) -> Vec<Letter> {
        let accounts = &self.app.accounts;
        let kept = accounts.mailer().mailbox(accounts.db()).await.expect("a mailbox");
        let letter = |kept: latchkey::mail::StoredMail| {
            let body = kept.body?;
            Some(Letter { id: kept.id, subject: kept.subject, text: body.text, html: body.html })
        };
        kept.into_iter().filter_map(letter).collect()
    }

    /// Every page that can be requested by GET, and every refusal of a form.
    pub fn stops(&self, who: Who) -> Vec<Stop> {
        let rows = routes::page_table().into_iter().chain(routes::local_table());
        // Neither downloads nor redirects to another host are pages.
        let pages = rows.filter(|row| {
            row.method == Method::Get && !["/account/export", "/go/{slug}"].contains(&row.path)
        });
        let pages = pages.map(|row| self.filled(row.path));
        let more = [
            "/nowhere".to_owned(),
            "/login?next=%2Faccount%2Fpassword".to_owned(),
            "/verify-email?token=from-the-mail".to_owned(),
            "/verify-email?token=used-up".to_owned(),
            "/reset-password?token=used-up".to_owned(),
            self.reset_path.clone(),
            self.invite_path.clone(),
            "/account/activity?page=2".to_owned(),
            "/admin/users?page=2".to_owned(),
            format!("/admin/users/{}", self.grace.id),
            format!("/admin/users/{}", self.gone),
            "/admin/users?q=nobody+at+all".to_owned(),
            "/admin/sessions?q=nobody+at+all".to_owned(),
            "/admin/audit?q=nobody+at+all".to_owned(),
            "/admin/apps/reports".to_owned(),
            "/admin/groups/finance".to_owned(),
            TRIED.to_owned(),
            REFUSED.to_owned(),
        ];
        let pages = pages.chain(more).chain(self.links.clone()).map(|page| Stop { page, sent: None });
        pages.chain(self.refusals(who)).collect()
    }

    pub fn filled(&self, path: &str) -> String {
        let id = if path.starts_with("/dev/mailbox") { self.letter } else { self.ada.id };
        path.replace("{id}", &id.to_string())
            .replace("{slug}", "wiki")
            .replace("{name}", "staff")
            .replace("{proxy}", "nginx")
    }

    fn refusals(&self, who: Who) -> Vec<Stop> {
        let reset = &self.reset_path;
        let stop = |page: &str, action: &str, fields, sign| Stop {
            page: page.to_owned(),
            sent: Some(Sent { action: action.to_owned(), fields, sign }),
        };
        let (wrong, shown) = (".errors", "input[type=text][autocomplete=new-password]");
        match who {
            Who::Visitor => vec![
                stop("/login", "/login", &[("email", "ada@example.org"), ("password", "wrong")], wrong),
                stop("/register", "/register", &[], wrong),
                stop(
                    "/register",
                    "/register",
                    &[("name", "Ada"), ("email", "ada@"), ("password", "password password")],
                    wrong,
                ),
                stop(
                    "/register",
                    "/register",
                    &[("name", "Ada"), ("password", "a b c"), ("show", "1")],
                    shown,
                ),
                stop("/forgot-password", "/forgot-password", &[("email", "ada@")], wrong),
                stop("/compare", "/compare/start", &[], ".verdicts"),
                stop("/compare", "/compare/split", &[], ".verdicts"),
                stop("/compare", "/compare/copy", &[], ".verdicts tbody tr:nth-child(4)"),
                stop(reset, "/reset-password", &[("password", "too short")], wrong),
                stop(reset, "/reset-password", &[("password", "a b c"), ("show", "1")], shown),
            ],
            Who::Ada => vec![
                stop("/confirm", "/confirm", &[("password", "wrong")], wrong),
                stop("/account/security", "/account/totp/start", &[], "svg.qr"),
                stop("/account", "/account/profile", &[("name", "")], wrong),
                stop("/account", "/account/profile", &[("name", "Ada King")], ".flash"),
                stop("/account/tokens", "/account/tokens", &[("name", "")], wrong),
                stop(
                    "/account/tokens",
                    "/account/tokens",
                    &[("name", "Script"), ("expires", "30d"), ("opens", "api"), ("me", "1")],
                    "#token",
                ),
                stop(
                    "/account/security",
                    "/account/passkeys/00000000-0000-4000-8000-000000000002/rename",
                    &[("name", "")],
                    wrong,
                ),
                stop(
                    "/account/password",
                    "/account/password",
                    &[("current_password", "wrong"), ("password", "too short")],
                    wrong,
                ),
            ],
            Who::Grace => vec![
                stop("/admin/groups", "/admin/groups", &[("name", "Staff!")], wrong),
                stop(
                    "/admin/groups/staff",
                    "/admin/groups/staff/join",
                    &[("email", "nobody@example.net")],
                    wrong,
                ),
                stop(
                    "/admin/apps",
                    "/admin/apps",
                    &[("name", ""), ("slug", "My wiki"), ("origin", "wiki"), ("upstream", "wiki")],
                    wrong,
                ),
                stop("/admin/apps/wiki", "/admin/apps/wiki/rules", &[("path", "/a//b")], wrong),
                stop(
                    "/admin/apps/wiki",
                    "/admin/apps/wiki/settings",
                    &[("name", ""), ("header_user", "Cookie")],
                    wrong,
                ),
                stop("/admin/invitations", "/admin/invitations", &[("email", "radia@")], wrong),
                stop(
                    "/admin/invitations",
                    "/admin/invitations",
                    &[("email", "sophie@example.org")],
                    ".flash",
                ),
            ],
        }
    }

    fn person(&self, who: Who) -> Option<&Person> {
        match who {
            Who::Visitor => None,
            Who::Ada => Some(&self.ada),
            Who::Grace => Some(&self.grace),
        }
    }

    pub fn add_passkeys(&self, who: Who) {
        if who == Who::Ada {
            self.app.db.execute(PASSKEYS);
            self.app.db.execute(USED_APPS);
        }
    }

    /// Opens every page that `who` can open in `chrome`, once each.
    pub async fn walk(&self, who: Who, chrome: &Chrome, look: impl AsyncFn(&str)) {
        if let Some(person) = self.person(who) {
            chrome.log_in(person.email, person.password).await;
            chrome.waits_for(".top form").await;
        }
        self.add_passkeys(who);
        let mut seen = 0;
        for Stop { page, sent } in self.stops(who) {
            chrome.go(&page).await;
            match sent {
                Some(Sent { action, fields, sign }) => {
                    chrome.submit(&action, fields).await;
                    chrome.waits_for(sign).await;
                    look(&format!("{page} after {fields:?}")).await;
                    seen += 1;
                }
                // Redirected: that page is another stop.
                None if !is_at(&page, &chrome.path().await) => {}
                None => {
                    look(&page).await;
                    seen += 1;
                }
            }
        }
        assert!(seen > 20, "only {seen} pages were seen");
    }

    /// The same without a browser.
    pub async fn fetch(&self, who: Who) -> Vec<(String, Answer)> {
        let mut browser = match self.person(who) {
            Some(person) => self.app.logged_in(person).await,
            None => self.app.browser(),
        };
        self.add_passkeys(who);
        let mut answers = Vec::new();
        for Stop { page, sent } in self.stops(who) {
            let mut answer = browser.open(&page).await;
            if let Some(Sent { action, fields, .. }) = sent {
                let hidden = answer.attribute("main input[name=token]", "value").unwrap_or_default();
                let mut fields = fields.to_vec();
                if !hidden.is_empty() {
                    fields.push(("token", &hidden));
                }
                answer = browser.post(&action, &fields).await;
            }
            answer = follow(&mut browser, answer).await;
            answers.push((page, answer));
        }
        answers
    }
}

/// Whether `path` is the requested page; for a mailed link, the page without its token.
fn is_at(page: &str, path: &str) -> bool {
    path == page || page.split_once("?token=").is_some_and(|(page, _)| page == path)
}

async fn follow(browser: &mut Browser, mut answer: Answer) -> Answer {
    while let Some(path) = answer.header("location") {
        answer = browser.get(path).await;
    }
    answer
}

pub struct Letter {
    pub id: Uuid,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A server without users: the setup link, and empty lists.
pub async fn empty() -> (TestApp, Vec<String>) {
    let app = TestApp::spawn();
    let link = app.accounts.registration.setup_link().await.expect("a link").expect("no administrator yet");
    let setup = link.strip_prefix(&app.origin).expect("a link of ours").to_owned();
    (app, vec![setup, "/setup?token=wrong".to_owned(), "/dev/mailbox".to_owned(), "/".to_owned()])
}
