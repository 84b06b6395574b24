//! Keys of sessions for an app behind Latchkey, opened as the handoff opens them.

use latchkey::db::time::Moment;
use latchkey_sessions::{SessionTx, Use};
use uuid::Uuid;

use super::app::TestApp;
use super::browser::Browser;

/// The scope of the keys.
const APP: Uuid = Uuid::from_u128(0xA99);

impl TestApp {
    /// The text of a new key of the session of `browser`.
    pub async fn app_key(&self, browser: &Browser) -> String {
        let sessions = self.accounts.sessions();
        let live =
            sessions.find_by_cookie(&browser.key()).await.expect("a database").expect("a live session");
        let (opener, session) = (sessions.clone(), live.record.handle);
        let open = move |tx: &mut SessionTx<'_>| {
            opener.open_scoped_key(tx, session, APP, "https://wiki.example.org", Moment(0))
        };
        let key = sessions.write(open).await.expect("a database").expect("a live session");
        key.reveal().to_owned()
    }

    pub async fn opens_app(&self, key: &str) -> bool {
        let found = self.accounts.sessions().find_scoped(key, APP, Use::Background).await;
        found.expect("a database").is_some()
    }
}
