//! Carries out each clean-up as users do.

use latchkey::cleanup::Cleanup;

use super::Means;
use super::scene::{Scene, link_to, press};
use crate::support::app::Letter;
use crate::support::process::Latchkey;

const OWNERS_NEW_PASSWORD: &str = "hinge meadow oyster drum";

impl Scene {
    pub async fn carry_out(&mut self, cleanup: Cleanup, means: Means) {
        match means {
            Means::Page => self.on_a_page(cleanup).await,
            Means::Command => self.by_command(cleanup),
        }
    }

    async fn on_a_page(&mut self, cleanup: Cleanup) {
        let (session, user) = (self.handle.clone(), self.owner.id);
        match cleanup {
            Cleanup::LogOut => {
                let mut thief = self.thief.copy();
                thief.get("/account").await.is(200);
                thief.post("/logout", &[]).await.redirects_to("/login");
            }
            Cleanup::EndSession => self.own_form(&format!("/account/sessions/{session}/revoke")).await,
            Cleanup::EndOthers => self.own_form("/account/sessions/revoke-others").await,
            Cleanup::NewPassword => {
                let fields = [("current_password", self.password), ("password", OWNERS_NEW_PASSWORD)];
                self.own.fill_in("/account/password", &fields).await.is(303);
                self.password = OWNERS_NEW_PASSWORD;
            }
            Cleanup::Reset => {
                let mut inbox = self.app.browser();
                inbox.fill_in("/forgot-password", &[("email", self.address)]).await.is(303);
                let letter = link_to(&self.app, self.address, "/reset-password").await;
                let fields = [("token", letter.token()), ("password", OWNERS_NEW_PASSWORD.to_owned())];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                inbox.fill_in(&letter.link(), &fields).await.redirects_to("/login");
                self.password = OWNERS_NEW_PASSWORD;
            }
            Cleanup::ReportSession => self.use_link(self.not_me.clone()).await,
            Cleanup::UndoEmail => self.use_link(self.undo_email.clone().expect("a letter")).await,
            Cleanup::UndoFactor => self.use_link(self.undo_factor.clone()).await,
            Cleanup::Unlock => self.use_link(self.unlock.clone()).await,
            Cleanup::AdminEndsSession => {
                self.office_form(&format!("/admin/sessions/{session}/revoke"), &[]).await;
            }
            Cleanup::AdminEndsAll => {
                self.office_form(&format!("/admin/users/{user}/revoke-sessions"), &[]).await;
            }
            Cleanup::Disable => self.office_form(&format!("/admin/users/{user}/disable"), &[]).await,
            Cleanup::DisableAndEnable => {
                self.office_form(&format!("/admin/users/{user}/disable"), &[]).await;
                self.office_form(&format!("/admin/users/{user}/enable"), &[]).await;
            }
            Cleanup::Demote => {
                self.office_form(&format!("/admin/users/{user}/role"), &[("role", "member")]).await;
            }
            Cleanup::Delete => {
                self.own.fill_in("/account/delete", &[("email", self.address)]).await.redirects_to("/login");
            }
            Cleanup::ResetFactors | Cleanup::EndAllSessions => panic!("there is no page for {cleanup:?}"),
        }
    }

    fn by_command(&self, cleanup: Cleanup) {
        let latchkey = Latchkey::on(&self.app.db.url());
        let run = |arguments: &[&str]| {
            latchkey.run(arguments).well();
        };
        match cleanup {
            Cleanup::Unlock => run(&["user", "unlock", self.address]),
            Cleanup::AdminEndsSession => run(&["session", "revoke", &self.handle]),
            Cleanup::Disable => run(&["user", "disable", self.address]),
            Cleanup::DisableAndEnable => {
                run(&["user", "disable", self.address]);
                run(&["user", "enable", self.address]);
            }
            Cleanup::Demote => run(&["user", "demote", self.address]),
            Cleanup::ResetFactors => run(&["user", "reset-factors", self.address]),
            Cleanup::EndAllSessions => run(&["session", "revoke", "--everybody"]),
            _ => panic!("there is no command for {cleanup:?}"),
        }
    }

    async fn own_form(&mut self, path: &str) {
        self.own.get("/account/sessions").await.is(200);
        self.own.post(path, &[]).await.redirects_to("/account/sessions");
    }

    async fn office_form(&mut self, path: &str, fields: &[(&str, &str)]) {
        self.office.get("/admin/users").await.is(200);
        self.office.post(path, fields).await.is(303);
    }

    async fn use_link(&mut self, letter: Letter) {
        press(&self.app, &letter).await.redirects_to("/login");
        self.used = letter.token();
    }
}
