//! Register, and verify the address. No answer reveals whether an address has an account.

use diesel::pg::PgConnection;
use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{AuditAction, NewEvent};
use crate::config::RegistrationMode;
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, Email, InvalidEmail, InvalidName, Name, Role};
use crate::notices::Mail;
use crate::passwords::{Password, PasswordHash, WeakPassword};
use crate::registration::queries::{AddressHolder, ParsedRegistration, PendingRegistration};
use crate::registration::{Registration, queries};
use crate::secret::{Token, TokenHash};
use crate::throttle;
use crate::throttle::RetryAfter;

/// What a visitor typed to register.
#[derive(Clone)]
pub struct NewUser {
    pub name: String,
    pub email: String,
    pub password: SecretString,
    /// The token of an invitation, or empty.
    pub invite: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RegisterRefusal {
    Closed,
    /// Mail is off, so the address cannot be verified.
    NoMail,
    /// Registration is by invitation only, and there is no open invitation for this address.
    NotInvited,
    Fields {
        name: Option<InvalidName>,
        email: Option<InvalidEmail>,
        password: Option<WeakPassword>,
    },
    TooMany(RetryAfter),
}

/// Why the link of a registration created no account.
#[derive(Debug, PartialEq, Eq)]
pub enum VerifyRefusal {
    /// Used, expired, not allowed any more, or not issued by this server.
    DeadLink,
    /// Another browser registered, and the form has no password.
    PasswordNeeded,
    WrongPassword,
    TooMany(RetryAfter),
}

/// What the page of a registration's link shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyLink {
    Dead,
    /// This browser registered: the page asks for a click.
    OwnBrowser,
    /// Another browser registered: the page asks for the password.
    OtherBrowser,
}

impl Registration {
    /// Stores the registration and mails a link that verifies the address. If the address has an account already, its
    /// owner is notified instead; the caller cannot tell the difference. Returns a token for the browser, which proves
    /// later that the same browser registered.
    pub async fn register(&self, person: NewUser, client: Client) -> Result<Token, Failed<RegisterRefusal>> {
        if self.mode == RegistrationMode::Closed {
            return refuse(RegisterRefusal::Closed);
        }
        if !self.mailer.delivers() {
            return refuse(RegisterRefusal::NoMail);
        }
        let invite = Token::hash_of(&person.invite);
        if self.mode == RegistrationMode::Invite && invite.is_none() {
            return refuse(RegisterRefusal::NotInvited);
        }
        let throttle = self.throttle.clone();
        let asking = client.clone();
        self.db
            .write_or_refuse(move |conn| throttle::admit_form(conn, "register", &asking, &throttle))
            .await
            .map_refusal(RegisterRefusal::TooMany)?;
        // Hashed even if the address is taken, so that both take the same time (ASVS 5.0 6.3.8).
        let parsed = self.parse_registration(&person).await?;
        let registration = self.clone();
        let browser = Token::generate().map_err(Fault::from)?;
        self.db
            .write_or_refuse(move |conn| {
                let invitation = match &invite {
                    Some(token_hash) => queries::open_invitation(conn, token_hash, parsed.email.key())?,
                    None => None,
                };
                if registration.mode == RegistrationMode::Invite && invitation.is_none() {
                    return refuse(RegisterRefusal::NotInvited);
                }
                if throttle::admit_mail(conn, parsed.email.key(), &registration.throttle)? {
                    registration.store_or_notify_holder(conn, &parsed, &browser, invitation, &client)?;
                }
                Ok(browser)
            })
            .await
    }

    /// What the link leads to in the browser with this token. Consumes nothing.
    pub async fn verify_link(&self, token: &str, browser: Option<TokenHash>) -> Result<VerifyLink, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(VerifyLink::Dead) };
        let pending = self.db.read(move |conn| queries::pending_registration(conn, &token_hash)).await?;
        Ok(match pending {
            None => VerifyLink::Dead,
            Some(pending) if pending.was_begun_in(browser) => VerifyLink::OwnBrowser,
            Some(_) => VerifyLink::OtherBrowser,
        })
    }

    /// Creates the user of a registration. Works once.
    ///
    /// An attacker may have registered the address with a password of the attacker's choice. So either the browser shows
    /// the token of the registration, or the user enters its password.
    pub async fn verify_email(
        &self,
        token: &str,
        password: &str,
        browser: Option<TokenHash>,
        client: Client,
    ) -> Result<(), Failed<VerifyRefusal>> {
        let Some(token_hash) = Token::hash_of(token) else { return refuse(VerifyRefusal::DeadLink) };
        let pending = self.db.read(move |conn| queries::pending_registration(conn, &token_hash)).await?;
        let Some(pending) = pending else { return refuse(VerifyRefusal::DeadLink) };
        if !pending.was_begun_in(browser) {
            self.check_registration_password(pending, token_hash, password, client.clone()).await?;
        }
        match self.create_registered_user(token_hash, client).await? {
            Some(()) => Ok(()),
            None => refuse(VerifyRefusal::DeadLink),
        }
    }

    /// Deletes the registration of the link, if the owner of the inbox did not make it or does not know its password.
    /// `false` if the link is dead.
    pub async fn discard_registration(&self, token: &str) -> Result<bool, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(false) };
        self.db.write(move |conn| queries::drop_registration(conn, &token_hash)).await
    }

    /// Refuses unless `raw` is the password of the registration.
    async fn check_registration_password(
        &self,
        pending: PendingRegistration,
        token_hash: TokenHash,
        raw: &str,
        client: Client,
    ) -> Result<(), Failed<VerifyRefusal>> {
        if raw.is_empty() {
            return refuse(VerifyRefusal::PasswordNeeded);
        }
        let throttle = self.throttle.clone();
        self.db
            .write_or_refuse(move |conn| {
                throttle::admit_registration_password(conn, &token_hash, &client, &throttle)
            })
            .await
            .map_refusal(VerifyRefusal::TooMany)?;
        let stored = PasswordHash::stored(pending.password_hash);
        let verdict = self.passwords.hasher.verify(Password::given(raw), Some(&stored)).await;
        if verdict.map_err(Fault::from)?.matches { Ok(()) } else { refuse(VerifyRefusal::WrongPassword) }
    }

    /// The caller has checked that the visitor made the registration. `None` if the link is dead by now.
    async fn create_registered_user(
        &self,
        token_hash: TokenHash,
        client: Client,
    ) -> Result<Option<()>, Fault> {
        let mode = self.mode;
        self.db
            .write(move |conn| {
                let Some(registration) = queries::take_registration(conn, &token_hash)? else {
                    return Ok(None);
                };
                // The mode may have changed since the registration.
                let invited = match registration.invitation {
                    Some(invitation) => queries::accept_invitation(conn, invitation)?,
                    None => false,
                };
                let may = match mode {
                    RegistrationMode::Open => true,
                    RegistrationMode::Invite => invited,
                    RegistrationMode::Closed => false,
                };
                if !may {
                    return Ok(None);
                }
                let email = Email::stored(&registration.email);
                let Some(user) = queries::insert_user(
                    conn,
                    &email,
                    &registration.name,
                    Role::Member,
                    Some(&registration.password_hash),
                )?
                else {
                    return Ok(None);
                };
                queries::drop_registrations(conn, email.key())?;
                NewEvent::by_owner(AuditAction::Registered, user, &client).write(conn)?;
                Ok(Some(()))
            })
            .await
    }

    pub(crate) async fn parse_registration(
        &self,
        person: &NewUser,
    ) -> Result<ParsedRegistration, Failed<RegisterRefusal>> {
        let (name, email) = (Name::parse(&person.name), Email::parse(&person.email));
        // Only against valid fields: a name of any length would make the check slow.
        let called = name.as_ref().map_or("", Name::as_str);
        let reached = email.as_ref().map_or("", Email::as_str);
        let password = self.passwords.choose(person.password.expose_secret(), called, reached);
        match (name, email, password) {
            (Ok(name), Ok(email), Ok(password)) => {
                Ok(ParsedRegistration { name, email, hash: self.passwords.hash(password).await? })
            }
            (name, email, password) => refuse(RegisterRefusal::Fields {
                name: name.err(),
                email: email.err(),
                password: password.err(),
            }),
        }
    }

    fn store_or_notify_holder(
        &self,
        conn: &mut PgConnection,
        parsed: &ParsedRegistration,
        browser: &Token,
        invitation: Option<uuid::Uuid>,
        client: &Client,
    ) -> Result<(), Fault> {
        let good_for = self.lifetimes.verify_for;
        let address_holder = queries::address_holder(conn, parsed.email.key())?;
        // The same statements for free and taken addresses, so that the time reveals nothing (ASVS 5.0 6.3.8).
        let token = Token::generate()?;
        let is_free = address_holder.is_none();
        queries::insert_registration(conn, (&token, browser), parsed, invitation, good_for.std(), is_free)?;
        match address_holder {
            None => {
                let link = self.notices.mailed_link("/verify-email", "token", &token, good_for);
                self.notices.send(conn, parsed.email.as_str(), &Mail::VerifyEmail(link), good_for.std())
            }
            Some(AddressHolder::Active(owner)) => {
                self.notices.send(conn, &owner.email, &Mail::AlreadyRegistered, good_for.std())
            }
            Some(AddressHolder::Reserved { until }) => {
                self.notices.notify_reserved_address(conn, &parsed.email, until, client)
            }
            // The owner of a disabled account cannot log in, so an email would not help.
            Some(AddressHolder::Disabled) => {
                self.notices.send_to_no_one(conn, &Mail::AlreadyRegistered, good_for.std())
            }
        }
    }
}

impl PendingRegistration {
    /// Whether the browser with this token made the registration.
    fn was_begun_in(&self, shown: Option<TokenHash>) -> bool {
        shown.is_some_and(|shown| self.browser.as_deref() == Some(shown.as_slice()))
    }
}
