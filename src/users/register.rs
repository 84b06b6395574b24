//! Register, and prove the address. Nobody learns whether an address has an account.

use diesel::pg::PgConnection;

use crate::audit::{AuditAction, NewEvent};
use crate::config::{Registration, in_words};
use crate::db::Fault;
use crate::identity::{Answer, Client, Email, InvalidEmail, InvalidName, Name, Role};
use crate::mail::{AlreadyRegistered, VerifyEmail};
use crate::passwords::{Password, PasswordHash, WeakPassword};
use crate::secret::{Token, TokenHash};
use crate::throttle;
use crate::throttle::RetryAfter;
use crate::users::queries::{AddressHolder, PendingRegistration};
use crate::users::{Users, queries};

/// What somebody typed to register.
#[derive(Clone)]
pub struct NewUser {
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
        name: Option<InvalidName>,
        email: Option<InvalidEmail>,
        password: Option<WeakPassword>,
    },
    TooMany(RetryAfter),
}

/// Why the link of a registration made no account.
#[derive(Debug, PartialEq, Eq)]
pub enum VerifyRefusal {
    /// Used, expired, not allowed any more, or never ours.
    DeadLink,
    /// Another browser registered, and no password was given.
    PasswordNeeded,
    WrongPassword,
    TooMany(RetryAfter),
}

/// What the page behind the link of a registration shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyLink {
    Dead,
    /// This browser registered: a button is enough.
    OwnBrowser,
    /// Another one did: the password is asked for.
    OtherBrowser,
}

/// A registration whose fields are in order.
pub(crate) struct ParsedRegistration {
    pub name: Name,
    pub email: Email,
    pub hash: PasswordHash,
}

impl Users {
    /// Keeps the registration until its address is proven and mails the link; where the address has an
    /// account already, its owner is told instead. The caller cannot tell which. Answers what the browser is to keep: it
    /// shows later that the same browser registered.
    pub async fn register(&self, person: NewUser, client: Client) -> Answer<Token, RegisterRefusal> {
        if self.registration == Registration::Closed {
            return Ok(Err(RegisterRefusal::Closed));
        }
        if !self.mailer.delivers() {
            return Ok(Err(RegisterRefusal::NoMail));
        }
        let invite = Token::hash_of(&person.invite);
        if self.registration == Registration::Invite && invite.is_none() {
            return Ok(Err(RegisterRefusal::NotInvited));
        }
        let throttle = self.throttle.clone();
        let asking = client.clone();
        if let Err(wait) =
            self.db.write(move |conn| throttle::admit_form(conn, "register", &asking, &throttle)).await?
        {
            return Ok(Err(RegisterRefusal::TooMany(wait)));
        }
        // Hashed whether or not the address is taken: both take the same time (ASVS 5.0 6.3.8).
        let parsed = match self.parse_registration(&person).await? {
            Ok(parsed) => parsed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let users = self.clone();
        let browser = Token::generate()?;
        self.db
            .write(move |conn| {
                let invitation = match &invite {
                    Some(token_hash) => queries::open_invitation(conn, token_hash, parsed.email.key())?,
                    None => None,
                };
                if users.registration == Registration::Invite && invitation.is_none() {
                    return Ok(Err(RegisterRefusal::NotInvited));
                }
                if throttle::admit_mail(conn, parsed.email.key(), &users.throttle)? {
                    users.store_or_notify_holder(conn, &parsed, &browser, invitation, &client)?;
                }
                Ok(Ok(browser))
            })
            .await
    }

    /// What the link leads to in a browser that shows `browser`; nothing is consumed.
    pub async fn verify_link(&self, token: &str, browser: Option<TokenHash>) -> Result<VerifyLink, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(VerifyLink::Dead) };
        let pending = self.db.read(move |conn| queries::pending_registration(conn, &token_hash)).await?;
        Ok(match pending {
            None => VerifyLink::Dead,
            Some(pending) if pending.was_begun_in(browser) => VerifyLink::OwnBrowser,
            Some(_) => VerifyLink::OtherBrowser,
        })
    }

    /// Makes the user a registration was pending to become. Works once.
    ///
    /// A stranger may have registered the address with a password that the stranger chose. So the browser proves that it
    /// began the registration with what it was given then, or the user proves it with that password.
    pub async fn verify_email(
        &self,
        token: &str,
        password: &str,
        browser: Option<TokenHash>,
        client: Client,
    ) -> Answer<(), VerifyRefusal> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(Err(VerifyRefusal::DeadLink)) };
        let pending = self.db.read(move |conn| queries::pending_registration(conn, &token_hash)).await?;
        let Some(pending) = pending else { return Ok(Err(VerifyRefusal::DeadLink)) };
        if !pending.was_begun_in(browser)
            && let Err(refusal) =
                self.check_registration_password(pending, token_hash, password, client.clone()).await?
        {
            return Ok(Err(refusal));
        }
        Ok(self.create_registered_user(token_hash, client).await?.ok_or(VerifyRefusal::DeadLink))
    }

    /// Deletes the registration behind the link, when the owner of the inbox did not begin it or does not
    /// know its password. `false` when the link is dead.
    pub async fn discard_registration(&self, token: &str) -> Result<bool, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(false) };
        self.db.write(move |conn| queries::drop_registration(conn, &token_hash)).await
    }

    /// Whether `raw` is the password that the registration was begun with.
    async fn check_registration_password(
        &self,
        pending: PendingRegistration,
        token_hash: TokenHash,
        raw: &str,
        client: Client,
    ) -> Answer<(), VerifyRefusal> {
        if raw.is_empty() {
            return Ok(Err(VerifyRefusal::PasswordNeeded));
        }
        let throttle = self.throttle.clone();
        let taken = self
            .db
            .write(move |conn| throttle::admit_registration_password(conn, &token_hash, &client, &throttle))
            .await?;
        if let Err(wait) = taken {
            return Ok(Err(VerifyRefusal::TooMany(wait)));
        }
        let stored = PasswordHash::stored(pending.password_hash);
        let verdict = self.passwords.hasher.verify(Password::given(raw), Some(&stored)).await?;
        Ok(if verdict.matches { Ok(()) } else { Err(VerifyRefusal::WrongPassword) })
    }

    /// The caller has seen who began the registration. `None` when the link is dead by now.
    async fn create_registered_user(
        &self,
        token_hash: TokenHash,
        client: Client,
    ) -> Result<Option<()>, Fault> {
        let mode = self.registration;
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
    ) -> Answer<ParsedRegistration, RegisterRefusal> {
        let (name, email) = (Name::parse(&person.name), Email::parse(&person.email));
        // Judged against what was accepted: a name of any length would make it slow.
        let called = name.as_ref().map_or("", Name::as_str);
        let reached = email.as_ref().map_or("", Email::as_str);
        let password = self.passwords.choose(&person.password, called, reached);
        match (name, email, password) {
            (Ok(name), Ok(email), Ok(password)) => {
                Ok(Ok(ParsedRegistration { name, email, hash: self.passwords.hash(password).await? }))
            }
            (name, email, password) => Ok(Err(RegisterRefusal::Fields {
                name: name.err(),
                email: email.err(),
                password: password.err(),
            })),
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
        let good_for = self.tokens.verify_for;
        let address_holder = queries::address_holder(conn, parsed.email.key())?;
        // The same statements for free and taken addresses, so that the time tells nothing (ASVS 5.0 6.3.8).
        let token = Token::generate()?;
        let is_free = address_holder.is_none();
        queries::insert_registration(conn, (&token, browser), parsed, invitation, good_for.std(), is_free)?;
        let taken = AlreadyRegistered {
            login_link: self.mailer.link("/login"),
            reset_link: self.mailer.link("/forgot-password"),
        };
        match address_holder {
            None => {
                let letter = VerifyEmail {
                    link: self.mailer.link(&format!("/verify-email?token={}", token.reveal())),
                    valid_for: in_words(good_for),
                };
                self.mailer.enqueue(conn, parsed.email.as_str(), &letter, good_for.std())
            }
            Some(AddressHolder::Active(owner)) => {
                self.mailer.enqueue(conn, &owner.email, &taken, good_for.std())
            }
            Some(AddressHolder::Reserved { until }) => {
                self.notify_reserved_address(conn, &parsed.email, until, client)
            }
            // The owner of a disabled account cannot log in, so no letter would help.
            Some(AddressHolder::Disabled) => self.mailer.enqueue_decoy(conn, &taken, good_for.std()),
        }
    }
}

impl PendingRegistration {
    /// Whether the browser that shows this began it.
    fn was_begun_in(&self, shown: Option<TokenHash>) -> bool {
        shown.is_some_and(|shown| self.browser.as_deref() == Some(shown.as_slice()))
    }
}
