//! Administrators, who disable and enable users, change their roles and end their sessions.

use super::actors::{Actor, Held};
use super::record::{Done, Ended, Field, PersonId, Span};

impl Actor {
    /// An administrator of `wards`; no other actor administers these users.
    pub async fn administer(mut self, wards: &[PersonId]) -> Vec<Held> {
        while !self.world.over.get() {
            let Some(held) = self.held.clone() else {
                self.log_in().await;
                continue;
            };
            let ward = wards[self.rng.below(wards.len())];
            match self.rng.below(8) {
                0 => self.disable(&held, ward).await,
                1 => self.end_all(&held, ward).await,
                2 | 3 => self.change_role(&held, ward).await,
                _ => self.home(&held).await,
            }
            self.rest().await;
        }
        // Users who are disabled at the end stay so: the history is checked as it is.
        self.remaining()
    }

    async fn change_role(&mut self, held: &Held, ward: PersonId) {
        let role = ["member", "admin"][self.rng.below(2)];
        let Some((at, done)) = self.command(held, ward, "role", &[("role", role)]).await else { return };
        self.world.wrote(ward, Field::Role, role.into(), at, done);
        if role == "member" && done != Done::No {
            // The keys of apps end if the ward was an administrator before.
            self.world.ended(Ended::AppKeys(ward), at, Done::Unknown);
        }
    }

    async fn end_all(&mut self, held: &Held, ward: PersonId) {
        let Some((at, done)) = self.command(held, ward, "revoke-sessions", &[]).await else { return };
        self.world.ended(Ended::All(ward), at, done);
    }

    /// Disables the ward and enables it again soon, so that enough actors stay active.
    async fn disable(&mut self, held: &Held, ward: PersonId) {
        let Some((at, done)) = self.command(held, ward, "disable", &[]).await else { return };
        self.world.ended(Ended::Disabled(ward), at, done);
        self.world.wrote(ward, Field::Enabled, "false".into(), at, done);
        self.rest().await;
        loop {
            let Some(held) = self.held.clone() else {
                self.log_in().await;
                continue;
            };
            if let Some((at, done)) = self.command(&held, ward, "enable", &[]).await {
                self.world.wrote(ward, Field::Enabled, "true".into(), at, done);
                if done == Done::Yes {
                    return;
                }
            }
            self.rest().await;
        }
    }

    async fn command(
        &mut self,
        held: &Held,
        ward: PersonId,
        what: &str,
        fields: &[(&str, &str)],
    ) -> Option<(Span, Done)> {
        let page = format!("/admin/users/{}", self.world.people[ward].id);
        let reply = self.post(held, &format!("{page}/{what}"), fields, &[303]).await?;
        if reply.status == Some(303) && reply.location.starts_with("/confirm") {
            // The confirmation has expired.
            self.held = None;
        }
        Some((reply.at, reply.done(&page)))
    }
}
