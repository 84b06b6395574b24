//! Tests what still works for the thief after a clean-up.

use latchkey::cleanup::Artifact;

use super::scene::{ACCOMPLICE, Scene, THIEFS_ADDRESS, THIEFS_PASSWORD, press};
use crate::passkeys::prove;
use crate::support::app::Letter;
use crate::support::browser::Browser;
use crate::support::subjects;

const WAYS_BACK: [&str; 3] = ["/not-me?", "/undo-email?", "/undo-factor?"];

/// Artifacts whose test changes the account come last.
const ORDER: [Artifact; 23] = [
    Artifact::Session,
    Artifact::SessionInSameBrowser,
    Artifact::SessionInOtherBrowser,
    Artifact::AppKey,
    Artifact::AppKeyOfOtherSession,
    Artifact::Token,
    Artifact::OlderToken,
    Artifact::OpenForm,
    Artifact::PasskeyCeremony,
    Artifact::ResetLink,
    Artifact::UnlockLink,
    Artifact::LinksToChangedAddress,
    Artifact::Invitation,
    Artifact::PendingLogin,
    Artifact::Passkey,
    Artifact::ChangedAddress,
    Artifact::NewPassword,
    Artifact::AuthenticatorApp,
    Artifact::RecoveryCodes,
    Artifact::KnownDevice,
    Artifact::PasskeyStepOff,
    Artifact::PendingEmailChange,
    Artifact::OwnersUndoLinks,
];

impl Scene {
    pub async fn what_works(&mut self, artifacts: &[Artifact]) -> Vec<(Artifact, bool)> {
        self.app.wait_out_throttles();
        let mut seen = Vec::new();
        for artifact in ORDER.into_iter().filter(|artifact| artifacts.contains(artifact)) {
            seen.push((artifact, self.works(artifact).await));
        }
        assert_eq!(seen.len(), artifacts.len());
        seen
    }

    async fn works(&mut self, artifact: Artifact) -> bool {
        match artifact {
            Artifact::Session => is_in(&mut self.thief.copy()).await,
            Artifact::SessionInSameBrowser => is_in(&mut self.same_browser.copy()).await,
            Artifact::SessionInOtherBrowser => is_in(&mut self.other_browser.copy()).await,
            Artifact::AppKey => self.app.opens_app(&self.app_key).await,
            Artifact::AppKeyOfOtherSession => self.app.opens_app(&self.own_app_key).await,
            Artifact::Token => self.app.accepts(&self.token).await,
            Artifact::OlderToken => self.app.accepts(&self.older_token).await,
            Artifact::OpenForm => {
                self.form.post("/account/profile", &[("name", "Taken Over")]).await;
                let name = format!("SELECT name FROM users WHERE id = '{}'", self.owner.id);
                self.app.db.scalar::<String>(&name) == "Taken Over"
            }
            Artifact::PasskeyCeremony => {
                self.thief.post_json("/account/passkeys/finish", &self.made).await.status == 200
            }
            Artifact::ResetLink => self.opens(&self.reset).await,
            Artifact::UnlockLink => self.opens(&self.unlock).await,
            Artifact::LinksToChangedAddress => self.all_open(THIEFS_ADDRESS).await,
            Artifact::Invitation => {
                let mut browser = self.app.browser();
                browser.get("/register").await.is(200);
                let token = self.invitation.token();
                let fields = [
                    ("name", "Eve"),
                    ("email", ACCOMPLICE),
                    ("password", "canyon walnut scarf ladder"),
                    ("invite", &token),
                ];
                browser.post("/register", &fields).await.status == 303
            }
            Artifact::PendingLogin => {
                let code = self.app.fresh_code(&self.totp);
                let answer = self.waiting.post("/login/second-factor", &[("code", &code)]).await;
                answer.is_sent_to("/home")
            }
            Artifact::Passkey => prove(&mut self.app.browser(), &mut self.passkey).await.status == 200,
            Artifact::ChangedAddress => {
                let mailed = async || {
                    let letters = self.app.letters().await;
                    let reset = |letter: &&Letter| {
                        letter.to == THIEFS_ADDRESS && letter.text.contains("/reset-password?")
                    };
                    letters.iter().filter(reset).count()
                };
                let before = mailed().await;
                let fields = [("email", THIEFS_ADDRESS)];
                self.app.browser().fill_in("/forgot-password", &fields).await.is(303);
                mailed().await > before
            }
            Artifact::NewPassword => {
                let address = self.address_now();
                self.app.browser().log_in(&address, THIEFS_PASSWORD).await.status == 303
            }
            Artifact::AuthenticatorApp => {
                let code = self.app.fresh_code(&self.totp);
                self.second_step_with(&code).await
            }
            Artifact::RecoveryCodes => {
                let code = self.codes[0].clone();
                self.second_step_with(&code).await
            }
            Artifact::KnownDevice => self.logs_in_silently().await,
            Artifact::PasskeyStepOff => self.skips_the_passkey().await,
            Artifact::PendingEmailChange => press(&self.app, &self.confirm).await.status == 303,
            Artifact::OwnersUndoLinks => {
                let all = self.all_open(self.owner.email).await;
                let one = self.ways_back(self.owner.email).await.remove(0);
                let pressed = press(&self.app, &one).await.status == 303;
                assert_eq!(all, pressed);
                all
            }
        }
    }

    fn address_now(&self) -> String {
        self.app.db.scalar(&format!("SELECT email FROM users WHERE id = '{}'", self.owner.id))
    }

    async fn opens(&self, letter: &Letter) -> bool {
        match self.app.browser().open(&letter.link()).await.status {
            200 => true,
            410 => false,
            other => panic!("{}: {other}", letter.link()),
        }
    }

    /// Emails to `to` with an undo link, except the one that the clean-up used.
    async fn ways_back(&self, to: &str) -> Vec<Letter> {
        let mut letters = self.app.letters().await;
        letters.retain(|letter| {
            letter.to == to
                && WAYS_BACK.iter().any(|path| letter.text.contains(path))
                && letter.token() != self.used
        });
        assert!(!letters.is_empty(), "no letters to {to}");
        letters
    }

    async fn all_open(&self, to: &str) -> bool {
        let mut open = Vec::new();
        for letter in self.ways_back(to).await {
            open.push(self.opens(&letter).await);
        }
        assert!(open.iter().all(|one| *one == open[0]), "{to}: {open:?}");
        open[0]
    }

    /// The thief knows the current password.
    async fn log_in(&self, browser: &mut Browser) -> bool {
        self.app.db.execute(&format!(
            "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = '{}') WHERE id = '{}'",
            self.admin.id, self.owner.id
        ));
        browser.log_in(&self.address_now(), self.admin.password).await.status == 303
    }

    async fn second_step_with(&self, code: &str) -> bool {
        let mut browser = self.app.browser();
        if !self.log_in(&mut browser).await {
            return false;
        }
        let step = browser.get("/login/second-factor").await;
        step.status == 200
            && browser.post("/login/second-factor", &[("code", code)]).await.is_sent_to("/home")
    }

    /// Whether the password alone logs in, with a passkey as the only second factor.
    async fn skips_the_passkey(&self) -> bool {
        self.app.db.execute(
            "DELETE FROM totp; DELETE FROM passkeys; INSERT INTO passkeys SELECT * FROM kept_passkeys",
        );
        let mut browser = self.app.browser();
        self.log_in(&mut browser).await && browser.get("/home").await.status == 200
    }

    /// Whether a log-in with the password alone, in the browser of the stolen session, sends the owner no email.
    async fn logs_in_silently(&self) -> bool {
        self.app.db.execute("DELETE FROM totp; DELETE FROM passkeys; DELETE FROM recovery_codes");
        let mut browser = self.thief.copy();
        browser.cookies.remove("latchkey");
        let before = self.app.count_letters(subjects::NEW_DEVICE).await;
        self.log_in(&mut browser).await && self.app.count_letters(subjects::NEW_DEVICE).await == before
    }
}

async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/home").await.status == 200
}
