//! Guessing costs time. An attempt is counted before it is checked, so that parallel guesses count each.

use std::fmt;

use diesel::pg::PgConnection;

use super::{Client, Rules, UserId, queries};
use crate::config::{Span, Throttle};
use crate::db::Fault;
use crate::secret;

/// How long to wait before the next attempt, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds @ 0..90 => write!(f, "Too many attempts. Try again in {seconds} seconds."),
            seconds => write!(f, "Too many attempts. Try again in {} minutes.", seconds.div_ceil(60)),
        }
    }
}

/// The two budgets an attempt at somebody's password draws on.
#[derive(Clone)]
pub(super) struct Budget {
    account: String,
    address: String,
}

impl Budget {
    /// `account_key` is an e-mail key, known or not: both are counted alike. Only a hash of it is stored.
    pub fn password(account_key: &str, client: &Client) -> Self {
        Self { account: bucket("account", account_key), address: bucket("address", &client.network()) }
    }

    /// For the confirmations of somebody who is logged in: strangers at the log-in page cannot use these up.
    pub fn confirmation(user: UserId, client: &Client) -> Self {
        Self {
            account: bucket("confirm", &user.to_string()),
            address: bucket("confirm-address", &client.network()),
        }
    }

    /// Takes one attempt out of both budgets, or says how long there is none.
    pub fn take(&self, conn: &mut PgConnection, rules: &Rules) -> Result<Result<(), Wait>, Fault> {
        // Always in this order, so that two attempts cannot wait for each other.
        for (bucket, free) in
            [(&self.address, rules.throttle.address_free), (&self.account, rules.throttle.account_free)]
        {
            if let Err(wait) = take(conn, bucket, free, &rules.throttle.into())? {
                return Ok(Err(wait));
            }
        }
        Ok(Ok(()))
    }

    /// The proof was good: the account starts afresh, the address gets this attempt back.
    pub fn give_back(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        queries::give_back(conn, &self.address)?;
        queries::clear_bucket(conn, &self.account)?;
        Ok(())
    }

    /// The owner got in another way (a reset link): whoever was guessing no longer keeps them out.
    pub fn clear_account(conn: &mut PgConnection, account_key: &str) -> Result<(), Fault> {
        queries::clear_bucket(conn, &bucket("account", account_key))
    }

    /// Nothing was checked after all (the server was too busy): as if nobody had tried.
    pub fn undo(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        queries::give_back(conn, &self.address)?;
        queries::give_back(conn, &self.account)?;
        Ok(())
    }
}

/// Whether one more letter may go to `email_key` within the hour.
pub(super) fn may_mail(conn: &mut PgConnection, email_key: &str, rules: &Rules) -> Result<bool, Fault> {
    Ok(take(conn, &bucket("mail", email_key), rules.throttle.mails_per_hour - 1, &HOURLY)?.is_ok())
}

/// Whether this address may send another form that makes us work for somebody unknown.
pub(super) fn may_ask(
    conn: &mut PgConnection,
    form: &str,
    client: &Client,
    rules: &Rules,
) -> Result<Result<(), Wait>, Fault> {
    take(conn, &bucket(form, &client.network()), rules.throttle.asks_per_hour - 1, &HOURLY)
}

/// So many, then an hour's rest: the last one sets the block, hence one less is free.
const HOURLY: Waits = Waits { first: Span::hours(1), longest: Span::hours(1), forget_after: Span::hours(1) };

/// How the waiting grows, and when it is forgotten.
pub(super) struct Waits {
    pub first: Span,
    pub longest: Span,
    pub forget_after: Span,
}

impl From<Throttle> for Waits {
    fn from(throttle: Throttle) -> Self {
        Self {
            first: throttle.first_wait,
            longest: throttle.longest_wait,
            forget_after: throttle.forget_after,
        }
    }
}

fn take(conn: &mut PgConnection, bucket: &str, free: i32, waits: &Waits) -> Result<Result<(), Wait>, Fault> {
    if queries::count_attempt(conn, bucket, free, waits)? {
        return Ok(Ok(()));
    }
    let seconds = queries::blocked_for(conn, bucket)?;
    Ok(Err(Wait(u64::try_from(seconds).unwrap_or(0).max(1))))
}

fn bucket(kind: &str, what: &str) -> String {
    format!("{kind}:{}", secret::encode(&secret::sha256(what.as_bytes())))
}
