//! Guessing costs time. An attempt is counted before it is checked, so that parallel guesses count each.

use diesel::pg::PgConnection;

use super::{Client, Rules, queries};
use crate::config::{Span, Throttle};
use crate::db::Fault;
use crate::secret;

/// How long to wait before the next attempt, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

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

    /// Takes one attempt out of both budgets, or says how long there is none.
    pub fn take(&self, conn: &mut PgConnection, rules: &Rules) -> Result<Result<(), Wait>, Fault> {
        // Always in this order, so that two attempts cannot wait for each other.
        for (bucket, free) in
            [(&self.address, rules.throttle.address_free), (&self.account, rules.throttle.account_free)]
        {
            if let Err(wait) = take(conn, bucket, free, &rules.throttle)? {
                return Ok(Err(wait));
            }
        }
        Ok(Ok(()))
    }

    /// The proof was good: the account starts afresh, the address gets this attempt back.
    pub fn give_back(&self, conn: &mut PgConnection, rules: &Rules) -> Result<(), Fault> {
        queries::give_back(conn, &self.address, rules.throttle.address_free)?;
        queries::clear_bucket(conn, &self.account)?;
        Ok(())
    }

    /// Nothing was checked after all (the server was too busy): as if nobody had tried.
    pub fn undo(&self, conn: &mut PgConnection, rules: &Rules) -> Result<(), Fault> {
        queries::give_back(conn, &self.address, rules.throttle.address_free)?;
        queries::give_back(conn, &self.account, rules.throttle.account_free)?;
        Ok(())
    }
}

/// Whether one more letter may go to `email_key` within the hour.
pub(super) fn may_mail(conn: &mut PgConnection, email_key: &str, rules: &Rules) -> Result<bool, Fault> {
    let hourly = Throttle {
        forget_after: Span::hours(1),
        first_wait: Span::hours(1),
        longest_wait: Span::hours(1),
        ..rules.throttle
    };
    Ok(take(conn, &bucket("mail", email_key), rules.throttle.mails_per_hour, &hourly)?.is_ok())
}

/// Whether this address may try another form that makes us work: register, forgot password.
pub(super) fn may_ask(
    conn: &mut PgConnection,
    form: &str,
    client: &Client,
    rules: &Rules,
) -> Result<Result<(), Wait>, Fault> {
    take(conn, &bucket(form, &client.network()), rules.throttle.address_free, &rules.throttle)
}

fn take(
    conn: &mut PgConnection,
    bucket: &str,
    free: i32,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    if queries::count_attempt(conn, bucket, free, throttle)? {
        return Ok(Ok(()));
    }
    let seconds = queries::blocked_for(conn, bucket)?;
    Ok(Err(Wait(u64::try_from(seconds).unwrap_or(0).max(1))))
}

fn bucket(kind: &str, what: &str) -> String {
    format!("{kind}:{}", secret::encode(&secret::sha256(what.as_bytes())))
}
