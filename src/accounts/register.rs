//! Register, and prove the address. Nobody learns whether an address has an account.

use diesel::pg::PgConnection;

use super::audit::Entry;
use super::password::{PasswordHash, Weak};
use super::{
    Accounts, Act, Answer, Client, Email, Name, NoEmail, NoName, Role, Wait, in_words, queries, throttle,
};
use crate::config::Registration;
use crate::db::Fault;
use crate::mail::{AlreadyRegistered, VerifyEmail};
use crate::secret::Token;

/// What somebody typed to register.
#[derive(Clone)]
pub struct NewPerson {
    pub name: String,
    pub email: String,
    pub password: String,
    /// The token of an invitation, or empty.
    pub invite: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RegisterRefusal {
    Closed,
    /// The address could not be proven: there is no mail to send the link with.
    NoMail,
    /// By invitation only, and this is no open one for this address.
    NotInvited,
    Fields {
        name: Option<NoName>,
        email: Option<NoEmail>,
        password: Option<Weak>,
    },
    TooMany(Wait),
}

/// A registration whose fields are in order.
pub(super) struct Parsed {
    pub name: Name,
    pub email: Email,
    pub hash: PasswordHash,
}

impl Accounts {
    /// Keeps the registration until its address is proven and mails the link; where the address has an
    /// account already, its owner is told instead. The caller cannot tell which.
    pub async fn register(&self, person: NewPerson, client: Client) -> Answer<(), RegisterRefusal> {
        if self.rules.registration == Registration::Closed {
            return Ok(Err(RegisterRefusal::Closed));
        }
        if !self.mailer.delivers() {
            return Ok(Err(RegisterRefusal::NoMail));
        }
        let invite = Token::hash_of(&person.invite);
        if self.rules.registration == Registration::Invite && invite.is_none() {
            return Ok(Err(RegisterRefusal::NotInvited));
        }
        let rules = self.rules.clone();
        let asking = client.clone();
        if let Err(wait) =
            self.db.write(move |conn| throttle::may_ask(conn, "register", &asking, &rules)).await?
        {
            return Ok(Err(RegisterRefusal::TooMany(wait)));
        }
        // Hashed whether or not the address is taken: both take the same time (ASVS 5.0 6.3.8).
        let parsed = match self.parse_person(&person).await? {
            Ok(parsed) => parsed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let accounts = self.clone();
        self.db
            .write(move |conn| {
                let invitation = match &invite {
                    Some(token_hash) => queries::open_invitation(conn, token_hash, parsed.email.key())?,
                    None => None,
                };
                if accounts.rules.registration == Registration::Invite && invitation.is_none() {
                    return Ok(Err(RegisterRefusal::NotInvited));
                }
                if throttle::may_mail(conn, parsed.email.key(), &accounts.rules)? {
                    accounts.keep_or_tell(conn, &parsed, invitation)?;
                }
                Ok(Ok(()))
            })
            .await
    }

    /// Makes the user a registration was waiting to become. Works once; `None` when the link is dead.
    pub async fn verify_email(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let mode = self.rules.registration;
        self.db
            .write(move |conn| {
                let Some(registration) = queries::take_registration(conn, &token_hash)? else {
                    return Ok(None);
                };
                // What was allowed when they registered may not be any more.
                let invited = match registration.invitation {
                    Some(invitation) => queries::accept_invitation(conn, invitation)?,
                    None => false,
                };
                let may = match mode {
                    Registration::Open => true,
                    Registration::Invite => invited,
                    Registration::Closed => false,
                };
                if !may {
                    return Ok(None);
                }
                let Some(user) = queries::insert_user(
                    conn,
                    &registration.email,
                    &registration.email_key,
                    &registration.name,
                    Role::Member,
                    Some(&registration.password_hash),
                )?
                else {
                    return Ok(None);
                };
                queries::drop_registrations(conn, &registration.email_key)?;
                Entry::own(Act::Registered, user, &client).write(conn)?;
                Ok(Some(()))
            })
            .await
    }

    /// Whether the mailed link would still work; nothing is consumed.
    pub async fn verify_link_is_live(&self, token: &str) -> Result<bool, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(false) };
        self.db.read(move |conn| queries::has_registration(conn, &token_hash)).await
    }

    pub(super) async fn parse_person(&self, person: &NewPerson) -> Answer<Parsed, RegisterRefusal> {
        let (name, email) = (Name::parse(&person.name), Email::parse(&person.email));
        // Judged against what was accepted: a name of any length would make it slow.
        let called = name.as_ref().map_or("", Name::as_str);
        let reached = email.as_ref().map_or("", Email::as_str);
        let password = self.choose(&person.password, called, reached);
        match (name, email, password) {
            (Ok(name), Ok(email), Ok(password)) => {
                Ok(Ok(Parsed { name, email, hash: self.hash(password).await? }))
            }
            (name, email, password) => Ok(Err(RegisterRefusal::Fields {
                name: name.err(),
                email: email.err(),
                password: password.err(),
            })),
        }
    }

    fn keep_or_tell(
        &self,
        conn: &mut PgConnection,
        parsed: &Parsed,
        invitation: Option<uuid::Uuid>,
    ) -> Result<(), Fault> {
        let good_for = self.rules.tokens.verify_for;
        if let Some(owner) = queries::addressee_at(conn, parsed.email.key())? {
            let letter = AlreadyRegistered {
                name: owner.name,
                login_link: self.mailer.link("/login"),
                reset_link: self.mailer.link("/forgot-password"),
            };
            return self.mailer.enqueue(conn, &owner.email, &letter, good_for.std());
        }
        if queries::user_id(conn, parsed.email.key())?.is_some() {
            // A disabled account: nothing it could be told would be of use.
            return self.mail_nobody(conn);
        }
        let token = Token::generate()?;
        queries::insert_registration(conn, &token, parsed, invitation, good_for.std())?;
        let letter = VerifyEmail {
            link: self.mailer.link(&format!("/verify-email?token={}", token.reveal())),
            valid_for: in_words(good_for),
        };
        self.mailer.enqueue(conn, parsed.email.as_str(), &letter, good_for.std())
    }
}
