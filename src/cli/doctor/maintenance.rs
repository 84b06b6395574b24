//! The doctor on what goes on beside the requests: sweeping, letters, what is sealed, the trail.

use std::time::Duration;

use actix_web::rt::System;

use super::bounded;
use super::database::{failed_check, skipped as skipped_check};
use super::finding::{Finding, note, ok, problem, warning};
use crate::accounts::Accounts;
use crate::cli::rfc3339;
use crate::config::Settings;
use crate::db::{Db, Fault};
use crate::mail::Mailer;
use crate::users::SealCounts;

const WITHIN: Duration = Duration::from_secs(15);

/// It is due every hour, and looked for every quarter.
const SWEPT_WITHIN: Duration = Duration::from_secs(3 * 3600);

/// Letters go out within seconds; retries take half an hour at most.
const LATE: Duration = Duration::from_secs(3600);

/// Links of the trail looked at: some milliseconds' work. `latchkey audit verify` looks at all.
const LINKS: i64 = 1000;

const CHECKS: [&str; 5] = ["sessions.due", "mail.outbox", "upkeep.sweep", "upkeep.seals", "audit.trail"];

pub fn skipped() -> Vec<Finding> {
    CHECKS.map(skipped_check).into()
}

pub fn look(db: &Db, settings: &Settings) -> Vec<Finding> {
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone());
    let accounts = match mailer.and_then(|mailer| Accounts::new(db.clone(), mailer, settings)) {
        Ok(accounts) => accounts,
        Err(wrong) => return vec![problem("upkeep.sweep", wrong.to_string(), "correct the setting")],
    };
    let check = |check: &'static str, look: fn(&Accounts) -> Result<Finding, Fault>| {
        let (accounts, settings) = (accounts.clone(), settings.clone());
        bounded(check, WITHIN, move || {
            look(&accounts).unwrap_or_else(|fault| failed_check(check, &fault, &settings))
        })
        .unwrap_or_else(|finding| finding)
    };
    vec![
        check("sessions.due", due),
        check("mail.outbox", outbox),
        check("upkeep.sweep", sweep),
        check("upkeep.seals", seals),
        check("audit.trail", trail),
    ]
}

fn due(accounts: &Accounts) -> Result<Finding, Fault> {
    let sessions = accounts.sessions().clone();
    let due = System::new().block_on(accounts.db().read(move |conn| sessions.count_due(conn)))?;
    Ok(match due {
        0 => ok("sessions.due", "no session is dead for longer than it is kept"),
        1..10_000 => ok("sessions.due", format!("{due} dead sessions wait for the next sweep")),
        _ => warning(
            "sessions.due",
            format!("{due} dead sessions or more wait to be swept"),
            "`latchkey session sweep` does it now, some ten thousand at a time",
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
        (0, _) | (_, None) => ok("mail.outbox", "no letter waits for long"),
        (_, Some(since)) => warning(
            "mail.outbox",
            format!("{stuck} letters wait, the oldest since {}", rfc3339(since)),
            "mail.server above, and the log's \"mail was not delivered\", print_line why; is an instance running?",
        ),
    })
}

fn sweep(accounts: &Accounts) -> Result<Finding, Fault> {
    Ok(match System::new().block_on(accounts.maintenance.last_purge())? {
        Some(last) if last.ago <= SWEPT_WITHIN => {
            ok("upkeep.sweep", format!("done {} minutes ago, {} rows", last.ago.as_secs() / 60, last.rows))
        }
        Some(last) => warning(
            "upkeep.sweep",
            format!("last done {} hours ago", last.ago.as_secs() / 3600),
            "a running instance does it every hour: see its log; where instances sleep, schedule `latchkey session sweep`",
        ),
        None => note("upkeep.sweep", "never done yet", "a running instance does it every hour"),
    })
}

fn seal_counts(accounts: &Accounts) -> Result<Finding, Fault> {
    let SealCounts { current, previous, unknown } =
        System::new().block_on(accounts.maintenance.seal_counts())?;
    Ok(match (previous, unknown) {
        (_, 1..) => problem(
            "upkeep.seals",
            format!(
                "{unknown} seeds of authenticator apps or letters were sealed with a secret that is not here"
            ),
            "is this the secret of this database? Bring the one before back as LATCHKEY__SECRET_PREVIOUS",
        ),
        (1.., 0) => note(
            "upkeep.seals",
            format!(
                "{previous} seeds of authenticator apps or letters are still sealed with the secret before"
            ),
            "the next sweep seals seeds anew; keep LATCHKEY__SECRET_PREVIOUS until there is none",
        ),
        (0, 0) => ok("upkeep.seals", format!("the secret opens what is sealed ({current})")),
    })
}

fn trail(accounts: &Accounts) -> Result<Finding, Fault> {
    Ok(match System::new().block_on(accounts.audit.verify_recent(LINKS))? {
        Ok(intact) => {
            ok("audit.trail", format!("the last {} links hold, up to {}", intact.links, intact.head.seq))
        }
        Err(broken) => problem(
            "audit.trail",
            format!("somebody changed the audit trail: {}", broken.damage.as_str()),
            "`latchkey audit verify` says where; look into it before anything else",
        ),
    })
}
