//! A forgotten password: a link by mail sets a new one. It ends every session and logs nobody in.

use diesel::pg::PgConnection;
use uuid::Uuid;

use super::audit::Entry;
use super::browsers::Proof;
use super::cleanup::{Cleanup, Request};
use super::notices::Notice;
use super::password::Weak;
use super::throttle::Budget;
use super::{Accounts, Act, Addressee, Answer, Client, Email, UserId, Wait, in_words, queries, throttle};
use crate::db::Fault;
use crate::mail::ResetPassword;
use crate::secret::Token;

#[derive(Debug, PartialEq, Eq)]
pub enum ResetRefusal {
    /// Used, expired, superseded, or never ours.
    DeadLink,
    Weak(Weak),
}

impl Accounts {
    /// Mails a reset link if the address has an account. The answer is the same either way.
    pub async fn request_reset(&self, email: &Email, client: Client) -> Answer<(), Wait> {
        let (accounts, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                if let Err(wait) = throttle::may_ask(conn, "forgot", &client, &accounts.rules)? {
                    return Ok(Err(wait));
                }
                if !throttle::may_mail_reset(conn, &email_key, &accounts.rules)? {
                    return Ok(Ok(()));
                }
                // The same statements either way, or the time would tell who has an account (ASVS 5.0 6.3.8).
                let user = queries::addressee_at(conn, &email_key)?;
                match &user {
                    Some(user) => accounts.mail_reset(conn, user)?,
                    None => accounts.mail_decoy_reset(conn, accounts.decoy_account(email_key.as_str()))?,
                }
                Entry::nobody(Act::ResetRequested, user.map(|user| user.id), &client).write(conn)?;
                Ok(Ok(()))
            })
            .await
    }

    /// A fresh link for `user`, shown to the operator instead of mailed.
    pub async fn reset_link(&self, email: &Email) -> Result<Option<String>, Fault> {
        let (accounts, email_key) = (self.clone(), email.key().to_owned());
        self.db
            .write(move |conn| {
                let Some(user) = queries::addressee_at(conn, &email_key)? else { return Ok(None) };
                Entry::on(Act::ResetRequested, None, user.id, &Client::operator()).write(conn)?;
                accounts.make_reset_link(conn, user.id).map(Some)
            })
            .await
    }

    /// The address of the account whose password the link would set; `None` if the link is dead. Consumes nothing.
    pub async fn reset_link_address(&self, token: &str) -> Result<Option<String>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        self.db.read(move |conn| Ok(queries::reset_owner(conn, &token_hash)?.map(|owner| owner.email))).await
    }

    /// Consumes the link, sets the password, ends every session and tells the owner.
    /// This browser is known from then on, so that strangers who are guessing cannot keep the owner out.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        client: Client,
    ) -> Answer<Proof, ResetRefusal> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(Err(ResetRefusal::DeadLink)) };
        let Some(owner) = self.db.read(move |conn| queries::reset_owner(conn, &token_hash)).await? else {
            return Ok(Err(ResetRefusal::DeadLink));
        };
        let chosen = match self.choose(new, &owner.name, &owner.email) {
            Ok(chosen) => chosen,
            Err(weak) => return Ok(Err(ResetRefusal::Weak(weak))),
        };
        let hash = self.hash(chosen).await?;
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                // Consuming decides who wins: a second request with the same link finds nothing.
                if !queries::take_reset(change, &token_hash, owner.id)? {
                    return Ok(Err(ResetRefusal::DeadLink));
                }
                accounts.clean_up(change, &Request::new(Cleanup::Reset, owner.id, &client))?;
                queries::set_password(change, owner.id, &hash, true)?;
                Budget::forgive(
                    change,
                    owner.id,
                    Email::stored(&owner.email).key(),
                    &accounts.rules.buckets,
                )?;
                let met = accounts.meet(change, owner.id, &client)?;
                Entry::nobody(Act::PasswordReset, Some(owner.id), &client).write(change)?;
                accounts.tell(change, &owner, &Notice::PasswordReset, &client)?;
                Ok(Ok(met.proof))
            })
            .await
    }

    pub(super) fn mail_reset(&self, conn: &mut PgConnection, user: &Addressee) -> Result<(), Fault> {
        let letter = self.reset_letter(self.make_reset_link(conn, user.id)?);
        self.mailer.enqueue(conn, &user.email, &letter, self.rules.tokens.reset_for.std())
    }

    /// The work of [`Self::mail_reset`] where there is no account to write about.
    pub(super) fn mail_nobody(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        self.mail_decoy_reset(conn, Uuid::new_v4())
    }

    /// The same; `account` stands for the one that does not exist, so that a second request replaces the first, too.
    fn mail_decoy_reset(&self, conn: &mut PgConnection, account: Uuid) -> Result<(), Fault> {
        let (token, good_for) = (Token::generate()?, self.rules.tokens.reset_for.std());
        queries::replace_decoy(conn, account, &token, good_for)?;
        self.mailer.enqueue_decoy(conn, &self.reset_letter(self.reset_url(&token)), good_for)
    }

    fn decoy_account(&self, email_key: &str) -> Uuid {
        let digest = self.secret.mac("decoy account", &[email_key.as_bytes()]);
        Uuid::from_bytes(digest.first_chunk().copied().unwrap_or_default())
    }

    fn make_reset_link(&self, conn: &mut PgConnection, user: UserId) -> Result<String, Fault> {
        let token = Token::generate()?;
        queries::replace_reset(conn, user, &token, self.rules.tokens.reset_for.std())?;
        Ok(self.reset_url(&token))
    }

    fn reset_url(&self, token: &Token) -> String {
        self.mailer.link(&format!("/reset-password?token={}", token.reveal()))
    }

    fn reset_letter(&self, link: String) -> ResetPassword {
        ResetPassword { link, valid_for: in_words(self.rules.tokens.reset_for) }
    }
}
