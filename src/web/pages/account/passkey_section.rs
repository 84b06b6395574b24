//! The passkeys of a user, as the security page shows them.

use crate::factors::{FactorStatus, Passkey, PasskeyId};
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::view::When;
use crate::web::session::guard::Confirmed;

/// What `account/_passkeys.html` shows.
pub struct PasskeySection {
    pub work: bool,
    pub rows: Vec<PasskeyView>,
    pub password: PasswordLogIn,
}

/// What a log-in with the password asks for in addition.
#[derive(PartialEq, Eq)]
pub enum PasswordLogIn {
    /// There is no second step yet: the first passkey is created with a choice.
    Choice,
    /// An authenticator app requires a second step, regardless of the choice for passkeys.
    App,
    Required,
    Alone,
}

pub struct PasskeyView {
    pub id: String,
    pub name: String,
    pub added: When,
    pub last_used: Option<When>,
    pub suspect_since: Option<When>,
    /// The value of the name field, and its error.
    pub typed: String,
    pub error: Option<Phrase>,
    /// Whether the field contains a name that was not saved yet.
    pub open: bool,
}

impl PasskeySection {
    pub async fn of(me: &Confirmed, ctx: &RequestContext, factors: &FactorStatus) -> Result<Self, Error> {
        let row = |Passkey { id, name, created_at, last_used_at, suspect_since }| PasskeyView {
            id: id.0.to_string(),
            typed: name.clone(),
            name,
            added: When::new(created_at, me.session.now()),
            last_used: last_used_at.map(|at| When::new(at, me.session.now())),
            suspect_since: suspect_since.map(|at| When::new(at, me.session.now())),
            error: None,
            open: false,
        };
        let rows: Vec<PasskeyView> =
            ctx.accounts().factors.passkeys(&me.session).await?.into_iter().map(row).collect();
        let password = match (&factors.totp, rows.is_empty(), factors.on) {
            (Some(_), ..) => PasswordLogIn::App,
            (None, true, _) => PasswordLogIn::Choice,
            (None, false, true) => PasswordLogIn::Required,
            (None, false, false) => PasswordLogIn::Alone,
        };
        Ok(Self { work: ctx.accounts().factors.passkeys_available(), rows, password })
    }

    /// The row of one passkey, with a name that was typed.
    pub fn open(&mut self, id: PasskeyId, typed: &str) -> Result<&mut PasskeyView, Error> {
        let row = self.rows.iter_mut().find(|row| row.id == id.0.to_string()).ok_or(Error::NotFound)?;
        (row.typed, row.open) = (typed.to_owned(), true);
        Ok(row)
    }

    /// Whether the typed name was refused; the page then shows an error.
    pub fn error(&self) -> Option<&PasskeyView> {
        self.rows.iter().find(|row| row.error.is_some())
    }
}
