//! Records that the rules of an app refused a user: once an hour for each user and app, after the response, and
//! bounded.

use actix_web::rt;

use crate::apps::app::App;
use crate::apps::service::Apps;
use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::identity::{Client, LiveUser, UserSession as _};

impl Apps {
    /// Records that `live` was refused, unless it was recorded within the last hour by this instance.
    pub fn record_refusal(&self, app: &App, live: &LiveUser, client: &Client) {
        let user = live.user_id();
        if !self.refusals.begin(user, app.id, live.moment()) {
            return;
        }
        let (apps, slug, session, client) =
            (self.clone(), app.slug.clone(), live.record.handle, client.clone());
        rt::spawn(async move {
            let written = apps
                .db
                .write(move |conn| {
                    NewEvent::by_owner(AuditAction::AppRefused, user, &client)
                        .session(session)
                        .data(&EventDetail::app(slug.as_str()))
                        .write(conn)
                })
                .await;
            apps.refusals.end();
            if let Err(fault) = written {
                tracing::warn!(%fault, "a refusal was not recorded");
            }
        });
    }
}
