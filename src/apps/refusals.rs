//! Records that the rules of an app refused a user: once an hour for each user and app, after the response, and
//! bounded.

use actix_web::rt;

use crate::apps::app::App;
use crate::apps::service::Apps;
use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::db::time::Moment;
use crate::identity::{Client, UserId};
use latchkey_sessions::Handle;

impl Apps {
    /// Records that a user was refused, unless it was recorded within the last hour by this instance.
    ///
    /// * `session`: `None` if the user has sent an access token.
    pub fn record_refusal(
        &self,
        app: &App,
        user: UserId,
        session: Option<Handle>,
        now: Moment,
        client: Client,
    ) {
        if !self.refusals.begin(user, app.id, now) {
            return;
        }
        let (apps, slug) = (self.clone(), app.slug.clone());
        rt::spawn(async move {
            let written = apps
                .db
                .write(move |conn| {
                    let event = NewEvent::by_owner(AuditAction::AppRefused, user, &client);
                    NewEvent { session, ..event }.data(&EventDetail::app(slug.as_str())).write(conn)
                })
                .await;
            apps.refusals.end();
            if let Err(fault) = written {
                tracing::warn!(%fault, "a refusal was not recorded");
            }
        });
    }
}
