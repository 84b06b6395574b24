//! The account before a clean-up: its owner, an administrator, and a thief who knows the password and has left one
//! artifact of each kind.

use latchkey::cleanup::{Artifact, Cleanup};
use latchkey::config::RegistrationMode;
use serde_json::Value;

use crate::passkeys::{add, asked};
use crate::support::app::{Letter, Person, TestApp};
use crate::support::authenticator::Authenticator;
use crate::support::authenticator_app::AuthenticatorApp;
use crate::support::browser::{Answer, Browser};
use crate::support::tokens::create_token;

pub const THIEFS_ADDRESS: &str = "thief@example.net";
pub const THIEFS_PASSWORD: &str = "gravel tuba otter lemon";
const NEXT_ADDRESS: &str = "elsewhere@example.net";
pub const ACCOMPLICE: &str = "accomplice@example.net";

/// Artifacts that cannot exist at the same time, because one removes the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Usual,
    ChangedAddress,
    NewPassword,
}

impl Case {
    pub const ALL: [Self; 3] = [Self::Usual, Self::ChangedAddress, Self::NewPassword];

    /// The artifacts that are tested in this case. A change of address can be undone only if there was one.
    pub fn artifacts(self, cleanup: Cleanup) -> Vec<Artifact> {
        let of_change = [Artifact::ChangedAddress, Artifact::LinksToChangedAddress];
        let usual = Artifact::ALL
            .iter()
            .copied()
            .filter(|artifact| !of_change.contains(artifact) && *artifact != Artifact::NewPassword);
        match (self, cleanup) {
            (Self::NewPassword, _) => vec![Artifact::NewPassword],
            (Self::Usual, Cleanup::UndoEmail) => Vec::new(),
            (Self::Usual, _) => usual.collect(),
            (Self::ChangedAddress, Cleanup::UndoEmail) => usual.chain(of_change).collect(),
            (Self::ChangedAddress, _) => of_change.to_vec(),
        }
    }
}

pub struct Scene {
    pub app: TestApp,
    pub owner: Person,
    pub admin: Person,
    /// The owner's session.
    pub own: Browser,
    /// The administrator's session.
    pub office: Browser,
    /// The session that left all artifacts, and its handle.
    pub thief: Browser,
    pub handle: String,
    pub same_browser: Browser,
    pub other_browser: Browser,
    /// The text of an app key of the thief's session, and of one of the owner's.
    pub app_key: String,
    pub own_app_key: String,
    /// The text of a token that the thief's session created, and of one that an earlier session of the owner created.
    pub token: String,
    pub older_token: String,
    /// A page of the thief's session with a form on it.
    pub form: Browser,
    /// The response of a passkey that was created but not sent yet.
    pub made: Value,
    pub waiting: Browser,
    pub passkey: Authenticator,
    pub totp: AuthenticatorApp,
    pub codes: Vec<String>,
    /// The current address and password of the account.
    pub address: &'static str,
    pub password: &'static str,
    pub not_me: Letter,
    pub undo_factor: Letter,
    pub undo_email: Option<Letter>,
    pub confirm: Letter,
    pub reset: Letter,
    pub unlock: Letter,
    pub invitation: Letter,
    /// The token of the link that the clean-up used.
    pub used: String,
}

/// The newest email to `to` with a link to `path`.
pub async fn link_to(app: &TestApp, to: &str, path: &str) -> Letter {
    let letters = app.letters().await;
    let with_link = |letter: &&Letter| letter.to == to && letter.text.contains(&format!("{path}?"));
    let found = letters.iter().find(with_link).cloned();
    found.unwrap_or_else(|| panic!("no letter to {to} leads to {path}: {letters:#?}"))
}

/// Opens the page of a mailed link in a new browser and presses the button.
pub async fn press(app: &TestApp, letter: &Letter) -> Answer {
    let (link, mut browser) = (letter.link(), app.browser());
    // A dead link shows no form.
    browser.get("/login").await.is(200);
    browser.open(&link).await;
    browser.post(link.split('?').next().expect("a path"), &[("token", &letter.token())]).await
}

/// A stranger enters wrong passwords until the owner is notified. Returns that email.
async fn guessed_at(app: &TestApp, address: &str) -> Letter {
    let mut stranger = app.browser();
    for _ in 0..5 {
        stranger.log_in(address, "not-the-password-at-all").await.is(422);
    }
    let letter = link_to(app, address, "/unlock").await;
    app.wait_out_throttles();
    letter
}

impl Scene {
    pub async fn set(case: Case, cleanup: Cleanup) -> Self {
        let app = TestApp::spawn_with(|settings| {
            settings.registration = RegistrationMode::Invite;
            settings.throttle.mails_per_hour = 1000;
            settings.throttle.asks_per_hour = 1000;
        });
        let (owner, admin) = (app.grace().await, app.mary().await);
        app.db.execute(&format!("UPDATE users SET role = 'admin' WHERE id = '{}'", admin.id));
        let mut earlier = app.logged_in(&owner).await;
        let older_token = create_token(&mut earlier, "Backup", &[("me", "1"), ("users_write", "1")]).await;
        earlier.get("/account").await.is(200);
        earlier.post("/logout", &[]).await.redirects_to("/login");
        let (own, office) = (app.logged_in(&owner).await, app.logged_in(&admin).await);

        let mut thief = app.logged_in(&owner).await;
        let newest = format!(
            "SELECT handle::text FROM sessions WHERE principal = '{}' ORDER BY created_at DESC LIMIT 1",
            owner.id
        );
        let handle = app.db.scalar(&newest);
        let not_me = link_to(&app, owner.email, "/not-me").await;
        let mut same_browser = thief.copy();
        same_browser.cookies.remove("latchkey");
        same_browser.log_in(owner.email, owner.password).await.redirects_to("/home");
        let other_browser = app.logged_in(&owner).await;

        // The link in this email undoes what was added from then on. It goes to the address at that time.
        let mut passkey = Authenticator::new(&app.origin);
        if cleanup == Cleanup::UndoFactor {
            add(&mut thief, &mut Authenticator::new(&app.origin)).await.is(200);
        }
        let mut undo_factor = match cleanup {
            Cleanup::UndoFactor => Some(link_to(&app, owner.email, "/undo-factor").await),
            _ => None,
        };
        let (mut address, mut undo_email) = (owner.email, None);
        if case == Case::ChangedAddress || cleanup == Cleanup::UndoEmail {
            address = THIEFS_ADDRESS;
            thief.fill_in("/account/email", &[("email", address)]).await.redirects_to("/account/email");
            press(&app, &link_to(&app, address, "/confirm-email").await).await.redirects_to("/login");
            undo_email = Some(link_to(&app, owner.email, "/undo-email").await);
        }

        let fields = [("email", NEXT_ADDRESS)];
        thief.fill_in("/account/email", &fields).await.redirects_to("/account/email");
        let confirm = link_to(&app, NEXT_ADDRESS, "/confirm-email").await;
        add(&mut thief, &mut passkey).await.is(200);
        undo_factor = match undo_factor {
            None => Some(link_to(&app, address, "/undo-factor").await),
            early => early,
        };
        thief.get("/account/security").await.is(200);
        thief.post("/account/passkeys/second-step", &[("second_step", "off")]).await.is(303);
        app.db.execute("CREATE TABLE kept_passkeys AS SELECT * FROM passkeys");
        let (totp, codes) = app.enrol(&mut thief).await;
        thief.get("/admin/invitations").await.is(200);
        thief.post("/admin/invitations", &[("email", ACCOMPLICE)]).await.redirects_to("/admin/invitations");
        let invitation = link_to(&app, ACCOMPLICE, "/register").await;
        let token = create_token(&mut thief, "Off-boarding", &[("me", "1"), ("users_write", "1")]).await;

        let mut waiting = app.browser();
        waiting.log_in(address, owner.password).await.redirects_to("/login/second-factor");
        waiting.get("/login/second-factor").await.is(200);
        app.browser().fill_in("/forgot-password", &[("email", address)]).await.is(303);
        let reset = link_to(&app, address, "/reset-password").await;
        let unlock = guessed_at(&app, address).await;

        let options = asked(&mut thief, "/account/passkeys/start").await;
        let made = Authenticator::new(&app.origin).make(&options);
        thief.get("/account").await.is(200);
        let form = thief.copy();
        let (app_key, own_app_key) = (app.app_key(&thief).await, app.app_key(&own).await);
        let mut scene = Self {
            password: owner.password,
            undo_factor: undo_factor.expect("a letter"),
            used: String::new(),
            app,
            owner,
            admin,
            own,
            office,
            thief,
            handle,
            same_browser,
            other_browser,
            app_key,
            own_app_key,
            token,
            older_token,
            form,
            made,
            waiting,
            passkey,
            totp,
            codes,
            address,
            not_me,
            undo_email,
            confirm,
            reset,
            unlock,
            invitation,
        };
        if case == Case::NewPassword {
            scene.change_the_password().await;
        }
        scene
    }

    /// The thief changes the password, which ends the owner's session. The test then logs the owner in with the new
    /// password.
    async fn change_the_password(&mut self) {
        let fields = [("current_password", self.password), ("password", THIEFS_PASSWORD)];
        self.thief.fill_in("/account/password", &fields).await.is(303);
        self.password = THIEFS_PASSWORD;
        self.own = self.app.browser();
        self.own.log_in(self.address, self.password).await.redirects_to("/login/second-factor");
        self.own.get("/login/second-factor").await.is(200);
        let code = self.app.fresh_code(&self.totp);
        self.own.post("/login/second-factor", &[("code", &code)]).await.redirects_to("/home");
        self.own_app_key = self.app.app_key(&self.own).await;
        // The previous link is as old as the previous password.
        self.unlock = guessed_at(&self.app, self.address).await;
    }
}
