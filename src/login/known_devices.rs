//! Known devices: browsers in which the user has logged in before. Wrong passwords are counted separately for each, and
//! no notice is sent about a log-in there. The cookie is not a credential (docs/decisions/lock-out.md).

use diesel::pg::PgConnection;

use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::{Login, queries};
use crate::notices::{LinkDetails, LinkPurpose, Notice};
use crate::secret::{Token, TokenHash};
use latchkey_sessions::Handle;

/// The known-device cookie, set after a successful log-in.
pub enum DeviceCookie {
    /// The browser keeps the one it sent.
    Keep,
    Set(Token),
}

/// A browser that is a known device from now on.
pub(crate) struct RememberedDevice {
    pub cookie: DeviceCookie,
    pub hash: TokenHash,
    /// The user had not logged in with it before.
    pub is_new: bool,
}

impl Login {
    /// Makes this browser a known device of `user`. Only after the user was verified.
    pub(crate) fn remember_device(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        client: &Client,
    ) -> Result<RememberedDevice, Fault> {
        let sent = match client.browser {
            // A token that was never issued may have been planted by an attacker who knows it.
            Some(hash) if queries::was_issued(conn, &hash)? => Some(hash),
            _ => None,
        };
        let is_new = match &sent {
            Some(hash) => !queries::is_known_device(conn, user, hash)?,
            None => true,
        };
        let (cookie, hash) = match sent {
            Some(hash) => (DeviceCookie::Keep, hash),
            None => {
                let token = Token::generate()?;
                let hash = token.hash();
                (DeviceCookie::Set(token), hash)
            }
        };
        queries::upsert_known_device(conn, user, &hash, self.throttle.limits.known_for.std())?;
        Ok(RememberedDevice { cookie, hash, is_new })
    }

    /// Notifies `user` of a log-in in a new browser, with a link that reports it (ASVS 5.0 6.3.5). `ended_oldest`: the
    /// limit of sessions, if the oldest session was ended for this one.
    pub(super) fn notify_new_device(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        (session, browser): (Handle, TokenHash),
        ended_oldest: Option<i64>,
        client: &Client,
    ) -> Result<(), Fault> {
        if !self.mailer.delivers() {
            return Ok(());
        }
        let Some(owner) = crate::identity::queries::recipient(conn, user)? else { return Ok(()) };
        let about = LinkDetails {
            session: Some(session),
            browser: Some(browser),
            email: Some(&owner.email),
            ..LinkDetails::default()
        };
        let notice = Notice::NewDevice {
            not_me: self.notices.create_link(conn, user, LinkPurpose::NotMe, about)?,
            ended_oldest,
        };
        self.notices.send_notice(conn, &owner, &notice, client)
    }
}
