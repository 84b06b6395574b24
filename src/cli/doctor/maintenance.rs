//! Checks the background tasks: expired rows, emails, sealed values, the audit trail.

use std::time::Duration;

use actix_web::rt::System;

use super::bounded;
use super::check::{failed_check, skipped as skipped_check};
use super::finding::{Finding, note, ok, problem, warning};
use crate::accounts::Accounts;
use crate::cli::rfc3339;
use crate::config::Settings;
use crate::db::{Db, Fault, Refusable as _};
use crate::mail::Mailer;
use crate::maintenance::SealCounts;
use crate::web::copy::mails;

const WITHIN: Duration = Duration::from_secs(15);

/// A purge is due every hour, and checked for every 15 minutes.
const SWEPT_WITHIN: Duration = Duration::from_secs(3 * 3600);

/// Emails are sent within seconds; retries take half an hour at most.
const LATE: Duration = Duration::from_secs(3600);

/// Links of the hash chain that are verified, in a few milliseconds. `latchkey audit verify` verifies all.
const LINKS: i64 = 1000;

const CHECKS: [&str; 5] = ["sessions.due", "mail.outbox", "upkeep.sweep", "upkeep.seals", "audit.trail"];

pub fn skipped() -> Vec<Finding> {
    CHECKS.map(skipped_check).into()
}

pub fn look(db: &Db, settings: &Settings) -> Vec<Finding> {
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone());
    let accounts = match mailer.and_then(|mailer| Accounts::new(db.clone(), mailer, settings, mails::write)) {
        Ok(accounts) => accounts,
        Err(wrong) => return vec![problem("upkeep.sweep", wrong.to_string(), "correct the setting")],
    };
    let check = |check: &'static str, look: fn(&Accounts) -> Result<Finding, Fault>| {
        let (accounts, settings) = (accounts.clone(), settings.clone());
        bounded(check, WITHIN, move || {
            look(&accounts).map_err(|fault| failed_check(check, &fault, &settings))
        })
        .unwrap_or_else(|finding| finding)
    };
    vec![
        check("sessions.due", due),
        check("mail.outbox", outbox),
        check("upkeep.sweep", sweep),
        check("upkeep.seals", sealed_values),
        check("audit.trail", trail),
    ]
}

fn due(accounts: &Accounts) -> Result<Finding, Fault> {
    let sessions = accounts.sessions().clone();
    let due = System::new().block_on(accounts.db().read(move |conn| sessions.count_due(conn)))?;
    Ok(match due {
        0 => ok("sessions.due", "no ended session is older than the retention"),
        1..10_000 => ok("sessions.due", format!("{due} ended sessions wait for the next sweep")),
        _ => warning(
            "sessions.due",
            format!("{due} ended sessions or more wait to be swept"),
            "`latchkey session sweep` deletes them now, in batches",
        ),
    })
}

fn outbox(accounts: &Accounts) -> Result<Finding, Fault> {
    let mailer = accounts.mailer().clone();
    if !mailer.delivers() {
        return Ok(note("mail.outbox", "mail is off", ""));
    }
    let (stuck, since) = System::new().block_on(accounts.db().read(move |conn| mailer.stuck(conn, LATE)))?;
    Ok(match (stuck, since) {
        (0, _) | (_, None) => ok("mail.outbox", "no email waits for long"),
        (_, Some(since)) => warning(
            "mail.outbox",
            format!("{stuck} emails wait, the oldest since {}", rfc3339(since)),
            "see mail.server above, and \"mail was not delivered\" in the log; is an instance running?",
        ),
    })
}

fn sweep(accounts: &Accounts) -> Result<Finding, Fault> {
    Ok(match System::new().block_on(accounts.maintenance.last_purge())? {
        Some(last) if last.ago <= SWEPT_WITHIN => ok(
            "upkeep.sweep",
            format!("last run {} minutes ago, {} rows", last.ago.as_secs() / 60, last.rows),
        ),
        Some(last) => warning(
            "upkeep.sweep",
            format!("last run {} hours ago", last.ago.as_secs() / 3600),
            "a running instance purges every hour: see its log; if instances sleep, schedule `latchkey session sweep`",
        ),
        None => note("upkeep.sweep", "never run", "a running instance purges every hour"),
    })
}

fn sealed_values(accounts: &Accounts) -> Result<Finding, Fault> {
    let SealCounts { current, previous, unknown } =
        System::new().block_on(accounts.maintenance.seal_counts())?;
    Ok(match (previous, unknown) {
        (_, 1..) => problem(
            "upkeep.seals",
            format!("{unknown} seeds of authenticator apps or emails were sealed with an unknown secret"),
            "is this the secret of this database? Restore the previous one as LATCHKEY__SECRET_PREVIOUS",
        ),
        (1.., 0) => note(
            "upkeep.seals",
            format!(
                "{previous} seeds of authenticator apps or emails are still sealed with the previous secret"
            ),
            "the next sweep reseals seeds; keep LATCHKEY__SECRET_PREVIOUS until none is left",
        ),
        (0, 0) => ok("upkeep.seals", format!("the secret opens all sealed values ({current})")),
    })
}

fn trail(accounts: &Accounts) -> Result<Finding, Fault> {
    Ok(match System::new().block_on(accounts.audit.verify_recent(LINKS)).split()? {
        Ok(intact) => ok(
            "audit.trail",
            format!("the last {} links are intact, up to {}", intact.links, intact.head.seq),
        ),
        Err(broken) => problem(
            "audit.trail",
            format!("the audit trail was changed: {}", broken.damage.as_str()),
            "`latchkey audit verify` shows where; investigate this first",
        ),
    })
}
