//! Browsers somebody has logged in with before: they keep a lane of their own for wrong passwords, and no letter
//! says that they are new. The proof is no credential; it opens nothing (docs/decisions/lock-out.md).

use diesel::pg::PgConnection;

use crate::config::in_words;
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::{Login, queries};
use crate::notices::{About, Notice, Purpose};
use crate::secret::{Token, TokenHash};
use latchkey_sessions::Handle;

/// What a browser is to keep from now on.
pub enum Proof {
    /// What it showed.
    Kept,
    Fresh(Token),
}

/// A browser that was let in.
pub(crate) struct Met {
    pub proof: Proof,
    pub hash: TokenHash,
    /// This person had not logged in with it before.
    pub is_new: bool,
}

impl Login {
    /// From now on this browser is known to be one of `user`'s. Only for what they have just proven themselves for.
    pub(crate) fn meet(&self, conn: &mut PgConnection, user: UserId, client: &Client) -> Result<Met, Fault> {
        let shown = match client.browser {
            // What nobody was given may have been planted by whoever knows it.
            Some(hash) if queries::gave_out(conn, &hash)? => Some(hash),
            _ => None,
        };
        let is_new = match &shown {
            Some(hash) => !queries::knows_browser(conn, user, hash)?,
            None => true,
        };
        let (proof, hash) = match shown {
            Some(hash) => (Proof::Kept, hash),
            None => {
                let token = Token::generate()?;
                let hash = token.hash();
                (Proof::Fresh(token), hash)
            }
        };
        queries::note_browser(conn, user, &hash, self.throttle.limits.known_for.std())?;
        Ok(Met { proof, hash, is_new })
    }

    /// Tells `user` that a browser logged in that is new, with the link that takes it back (ASVS 5.0 6.3.5).
    /// `ended_oldest`: the limit of sessions, if the oldest one ended for this one.
    pub(crate) fn tell_new_device(
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
        let Some(owner) = crate::identity::queries::addressee(conn, user)? else { return Ok(()) };
        let about = About {
            session: Some(session),
            browser: Some(browser),
            email: Some(&owner.email),
            ..About::default()
        };
        let notice = Notice::NewDevice {
            not_me: self.notices.make_link(conn, user, Purpose::NotMe, about)?,
            valid_for: in_words(self.notices.good_for(Purpose::NotMe)),
            ended_oldest,
        };
        self.notices.tell(conn, &owner, &notice, client)
    }
}
