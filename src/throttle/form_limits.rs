//! Limits on forms and emails. Each function counts one use and says whether it is admitted.

use diesel::pg::PgConnection;

use crate::config::Span;
use crate::db::{Failed, Fault, Refusable as _};
use crate::identity::{Client, EmailKey, UserId};
use crate::secret::{self, TokenHash};
use crate::throttle::backoff::Backoff;
use crate::throttle::counter::{RetryAfter, Throttle, count};

const HOURLY: Backoff = Backoff::fixed(Span::hours(1));

const DAILY: Backoff = Backoff::fixed(Span::days(1));

/// Recovery codes that one pending log-in, or one session, may try in an hour.
const RECOVERY_CODES: i32 = 10;

/// Passwords that may be tried with the link of one registration in an hour.
const REGISTRATION_PASSWORDS: i32 = 10;

/// Counts one email to `email_key` within the hour. A visitor must not learn that it is refused.
pub(crate) fn admit_mail(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    Ok(count_mail(conn, email_key, throttle).split()?.is_ok())
}

/// The same for an administrator, who is told how long to wait.
pub(crate) fn count_mail(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name("mail", email_key.as_str());
    count(conn, &counter, throttle.limits.mails_per_hour - 1, &HOURLY).map(drop)
}

/// Counts one reset link to `email_key`. Reset links have a counter of their own: emails that a stranger requests must
/// not use up the ones that the owner needs to get back in.
pub(crate) fn admit_reset_mail(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    // A longer block would outlive the last link, and the owner would be left without one.
    let backoff = Backoff::fixed(throttle.reset_for);
    let counter = throttle.counter_names.name("mail-reset", email_key.as_str());
    Ok(count(conn, &counter, throttle.limits.mails_per_hour - 1, &backoff).split()?.is_ok())
}

/// Counts one form from the client's network that makes the server work for an unknown visitor.
pub(crate) fn admit_form(
    conn: &mut PgConnection,
    form: &str,
    client: &Client,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name(form, &client.network());
    count(conn, &counter, throttle.limits.asks_per_hour - 1, &HOURLY).map(drop)
}

/// Counts one email that `user` causes to an address that is not theirs.
pub(crate) fn admit_mail_by_user(
    conn: &mut PgConnection,
    user: UserId,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name("write", &user.to_string());
    count(conn, &counter, throttle.limits.mails_per_hour - 1, &HOURLY).map(drop)
}

/// Counts one start of a passkey log-in from the client's network. Signatures cannot be guessed, so this bounds only the
/// rows that challenges take.
pub(crate) fn admit_passkey_start(
    conn: &mut PgConnection,
    client: &Client,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name("passkey", &client.network());
    count(conn, &counter, throttle.limits.ceremonies_per_hour - 1, &HOURLY).map(drop)
}

/// Counts an unknown access token against the client's network. Tokens cannot be guessed, so this only bounds the cost of
/// guesses.
pub(crate) fn count_token_guess(
    conn: &mut PgConnection,
    client: &Client,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name("token", &client.network());
    count(conn, &counter, throttle.limits.address_free, &throttle.limits.into()).map(drop)
}

/// Counts one recovery code at `place`, a pending log-in or a session.
pub(crate) fn admit_recovery_code(
    conn: &mut PgConnection,
    place: &str,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    let counter = throttle.counter_names.name("recovery-code", place);
    count(conn, &counter, RECOVERY_CODES - 1, &HOURLY).map(drop)
}

/// Counts one password at the link of a registration, and one form from the client's network.
pub(crate) fn admit_registration_password(
    conn: &mut PgConnection,
    registration: &TokenHash,
    client: &Client,
    throttle: &Throttle,
) -> Result<(), Failed<RetryAfter>> {
    admit_form(conn, "verify", client, throttle)?;
    let counter = throttle.counter_names.name("registration", &secret::encode(registration));
    count(conn, &counter, REGISTRATION_PASSWORDS - 1, &HOURLY).map(drop)
}

/// Counts one notice a day to `user` that the second step of a log-in is missing.
pub(crate) fn admit_missing_step_notice(
    conn: &mut PgConnection,
    user: UserId,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    let counter = throttle.counter_names.name("second-step-letter", &user.to_string());
    Ok(count(conn, &counter, 0, &DAILY).split()?.is_ok())
}
