//! The doctor on the database. The checks go one after the other on one connection; when that hangs, the rest say that
//! they were not looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::pg::PgConnection;

use super::finding::{Finding, note, ok, problem, warning};
use super::{bounded, line, upkeep};
use crate::cli::reach;
use crate::config::Settings;
use crate::db::diagnostics::{self, Rights, Server};
use crate::db::{Db, Fault, migrations};
use latchkey_sessions::ping_instances;

/// Local mode's own server may have to be started first.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How much longer a check may take than the longest wait for the database, so that the check itself says
/// what failed.
const MARGIN: Duration = Duration::from_secs(1);

/// What is announced is heard within milliseconds, or never.
pub const HEARD_WITHIN: Duration = Duration::from_secs(2);

const OLDEST: i32 = 140_000;

type Shared = Arc<Mutex<PgConnection>>;
type Look = fn(&mut Case<'_>) -> Result<Finding, Fault>;

/// What a check may look at.
pub struct Case<'c> {
    pub conn: &'c mut PgConnection,
    pub db: &'c Db,
    pub settings: &'c Settings,
}

const CHECKS: [(&str, Look); 12] = [
    ("database.version", version),
    ("database.writable", writable),
    ("database.latency", latency),
    ("database.tls", line::tls),
    ("database.durability", durability),
    ("database.clock", clock),
    ("database.messages", messages),
    ("database.migrations", migrated),
    ("database.rights", rights),
    ("database.pooler", line::pooler),
    ("database.listen", line::listen),
    ("sessions.instances", instances),
];

pub fn look(settings: &Settings) -> Vec<Finding> {
    let reached = {
        let settings = settings.clone();
        bounded("database.reach", START_WITHIN, move || {
            reach::database(&settings).map_err(|failure| failure.to_string())
        })
    };
    // Kept to the end: local mode's server stops with its last user.
    let reached = match reached {
        Ok(Ok(reached)) => reached,
        Ok(Err(why)) => return without(problem("database.reach", why, REACH)),
        Err(finding) => return without(finding),
    };
    let db = Db::new(&reached.url, settings.pool).with_direct(settings.database_direct.clone());
    let within = db.longest_wait() + MARGIN;
    let conn = {
        let db = db.clone();
        bounded("database.reach", within, move || db.connect())
    };
    let conn = match conn {
        Ok(Ok(conn)) => conn,
        Ok(Err(fault)) => return without(problem("database.reach", quiet(&fault, settings), REACH)),
        Err(finding) => return without(finding),
    };
    let mut findings = vec![ok("database.reach", "connected")];
    let conn: Shared = Arc::new(Mutex::new(conn));
    let mut hangs = false;
    for (check, look) in CHECKS {
        if hangs {
            findings.push(unseen(check));
            continue;
        }
        let (conn, db, settings) = (Arc::clone(&conn), db.clone(), settings.clone());
        let found = bounded(check, within, move || {
            let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            look(&mut Case { conn: &mut conn, db: &db, settings: &settings })
                .unwrap_or_else(|fault| faulted(check, &fault, &settings))
        });
        hangs = found.is_err();
        findings.push(found.unwrap_or_else(|finding| finding));
    }
    findings.extend(if hangs { upkeep::unseen() } else { upkeep::look(&db, settings) });
    findings
}

const REACH: &str = "until it answers every request is told to come back: check host, port, name, user, password, TLS and the network";

/// Without a database there is nothing else to see of it.
fn without(reach: Finding) -> Vec<Finding> {
    let mut findings = vec![reach];
    findings.extend(CHECKS.map(|(check, _)| unseen(check)));
    findings.extend(upkeep::unseen());
    findings
}

pub fn unseen(check: &'static str) -> Finding {
    note(check, "not looked at: the database does not answer", "")
}

pub fn faulted(check: &'static str, fault: &Fault, settings: &Settings) -> Finding {
    let why = quiet(fault, settings);
    if why.contains("does not exist") {
        return note(check, "not looked at: its tables are not all there", "see database.migrations");
    }
    problem(check, why, "see what the database's log says")
}

/// libpq repeats parts of what it was given, but never the password; a secret in another place is not its to know.
fn quiet(fault: &Fault, settings: &Settings) -> String {
    let mut text = fault.to_string();
    for url in settings.database.iter().chain(&settings.database_direct) {
        text = text.replace(url.as_str(), "…");
    }
    text
}

fn version(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let Server { number, version, .. } = diagnostics::server(case.conn)?;
    if number < OLDEST {
        return Ok(problem(
            "database.version",
            format!("PostgreSQL {version}"),
            "14 is the oldest that is supported",
        ));
    }
    Ok(ok("database.version", format!("PostgreSQL {version}")))
}

fn writable(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(case.conn)?;
    if server.standby || server.read_only {
        let what = if server.standby { "a standby" } else { "read-only" };
        return Ok(problem(
            "database.writable",
            format!("it is {what}: nobody can log in, and nothing can be revoked"),
            "connect to the primary: several hosts in the URL and target_session_attrs=read-write find it by themselves",
        ));
    }
    Ok(ok("database.writable", "a primary that may be written to"))
}

/// A look-up is one round trip: what this takes, every page waits.
fn latency(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let took = diagnostics::round_trip(case.conn, 20)?;
    let seen = format!("{:.1} ms, the middle of 20 round trips", took.as_secs_f64() * 1000.0);
    Ok(match took.as_millis() {
        0..5 => ok("database.latency", seen),
        5..20 => note(
            "database.latency",
            seen,
            "another zone? A session that is not in memory costs one round trip, a log-in about ten",
        ),
        _ => warning(
            "database.latency",
            seen,
            "bring database and instances to the same region; revocations wait for two round trips",
        ),
    })
}

/// Diesel keeps the SQLSTATE of most errors to itself, so we tell time-outs from our own mistakes by the
/// server's English messages (`db/fault.rs`).
fn messages(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let locale = diagnostics::server(case.conn)?.messages;
    if is_english(&locale) {
        return Ok(ok("database.messages", format!("in English (lc_messages = {locale:?})")));
    }
    Ok(warning(
        "database.messages",
        format!("in another language (lc_messages = {locale:?}): a time-out is answered 500 instead of 503"),
        "as a superuser: ALTER ROLE … SET lc_messages = 'C' for the role of the application",
    ))
}

/// Whether a server with this locale speaks English. Without a locale it does, as it does without a translation.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
    ["", "C", "POSIX", "en", "English"].contains(&language)
}

/// "Revoked means revoked" holds as long as what was committed stays.
fn durability(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(case.conn)?;
    let settings = [
        ("fsync", &server.fsync),
        ("full_page_writes", &server.full_page_writes),
        ("synchronous_commit", &server.synchronous_commit),
    ];
    let off: Vec<&str> =
        settings.iter().filter(|(_, value)| *value == "off").map(|(name, _)| *name).collect();
    if off.is_empty() {
        return Ok(ok(
            "database.durability",
            format!("what is committed stays; synchronous_commit={}", server.synchronous_commit),
        ));
    }
    Ok(problem(
        "database.durability",
        format!("{} off: after a crash, sessions that were revoked may be back", off.join(", ")),
        "switch it on",
    ))
}

/// Expiry and codes of apps are judged by the database's clock; log and letters bear ours.
fn clock(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let (ahead, give_or_take) = diagnostics::clock_ahead(case.conn)?;
    let by = ahead.as_seconds_f64();
    let seen =
        format!("the database's is {by:+.3} s from ours, give or take {:.3} s", give_or_take.as_secs_f64());
    Ok(match by.abs() - give_or_take.as_secs_f64() {
        off if off < 1.0 => ok("database.clock", seen),
        off if off < 30.0 => note("database.clock", seen, "let NTP set both"),
        _ => warning(
            "database.clock",
            seen,
            "let NTP set both: sessions and links end by the database's clock, and codes of authenticator apps are refused when it is a step (30 s) off",
        ),
    })
}

fn migrated(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let state = migrations::state(case.conn)?;
    let pending = state.pending.join(", ");
    Ok(match (state.pending.is_empty(), state.unknown.is_empty()) {
        (true, true) => ok("database.migrations", "the schema is this version's"),
        (true, false) => note(
            "database.migrations",
            format!("a newer version has added {}", state.unknown.join(", ")),
            "fine while instances are being replaced: each version works with the schema of the next",
        ),
        (false, _) if diagnostics::server(case.conn)?.may_create => warning(
            "database.migrations",
            format!("not applied yet: {pending}"),
            "`latchkey serve` does it when it starts, or `latchkey migrate` now",
        ),
        (false, _) => problem(
            "database.migrations",
            format!("not applied yet, and this role may not: {pending}"),
            "run `latchkey migrate` as the owner of the tables",
        ),
    })
}

fn rights(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(case.conn)?;
    let tables = diagnostics::rights(case.conn)?;
    let missing: Vec<String> = tables.iter().filter_map(lacking).collect();
    if !missing.is_empty() {
        return Ok(problem(
            "database.rights",
            format!("{} may not {}", server.role, missing.join("; ")),
            "run docs/least-privilege.sql as the owner, again after each upgrade that brings tables",
        ));
    }
    if server.superuser && case.settings.is_local() {
        return Ok(ok("database.rights", "its owner: it is our own server"));
    }
    if server.superuser {
        return Ok(warning(
            "database.rights",
            format!("{} is a superuser", server.role),
            "a role of its own is enough: docs/least-privilege.sql",
        ));
    }
    if tables.iter().any(|table| table.name == "audit_events" && (table.update || table.delete)) {
        return Ok(note(
            "database.rights",
            format!("{} may change the audit trail; `latchkey audit verify` would find it", server.role),
            "docs/least-privilege.sql is a role that cannot",
        ));
    }
    Ok(ok("database.rights", format!("{} has what it needs, and no more", server.role)))
}

/// What we do with a table: the trail is only added to, and its chain is the database's own.
fn lacking(table: &Rights) -> Option<String> {
    let Rights { name, select, insert, update, delete } = table;
    let changed = !name.starts_with("audit_") && !name.starts_with("__diesel");
    let needs = [
        ("read", true, select),
        ("add to", changed || name == "audit_events", insert),
        ("change", changed, update),
        ("delete from", changed, delete),
    ];
    let lacks: Vec<&str> =
        needs.iter().filter(|(_, needed, has)| *needed && !**has).map(|(what, ..)| *what).collect();
    (!lacks.is_empty()).then(|| format!("{} {name}", lacks.join(", ")))
}

/// Who serves sessions from memory, whether they answer, and whether the database has room for them.
fn instances(case: &mut Case<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(case.conn)?;
    let call = ping_instances(&mut case.db.connect_dedicated()?, HEARD_WITHIN)?;
    let each = case.settings.pool.pool_size + 1;
    let wanted = i64::from(each) * i64::try_from(call.instances.max(1)).unwrap_or(1);
    let room = i64::from(server.connections);
    let seen = format!(
        "{} instances, the last answered after {:.1} ms; {} of {room} connections in use, up to {each} an instance",
        call.instances,
        call.took.as_secs_f64() * 1000.0,
        server.connected,
    );
    Ok(match () {
        () if call.silent > 0 => warning(
            "sessions.instances",
            format!("{} of {} instances do not answer", call.silent, call.instances),
            "they were killed, or hang: the next revocation waits half a second for them, once; then they are forgotten",
        ),
        () if wanted > room => problem(
            "sessions.instances",
            seen,
            "more connections than the database has: lower LATCHKEY__DATABASE__POOL_SIZE, raise max_connections, or put a pooler in between",
        ),
        () if 2 * wanted > room => note(
            "sessions.instances",
            seen,
            "while all instances are replaced at once there may be twice as many: replace them one by one",
        ),
        () if call.instances == 0 => note("sessions.instances", "no instance is running", ""),
        () if call.gone > 0 => note(
            "sessions.instances",
            format!("{seen}; {} rows of instances that are gone", call.gone),
            "they go with the next revocation",
        ),
        () => ok("sessions.instances", seen),
    })
}

#[cfg(test)]
mod tests {
    use super::is_english;

    #[test]
    fn locales_without_a_translation_are_english() {
        for locale in
            ["", "C", "C.UTF-8", "C.utf8", "POSIX", "en_US.UTF-8", "en_GB", "English_United States.1252"]
        {
            assert!(is_english(locale), "{locale}");
        }
        for locale in ["de_DE.UTF-8", "fr_FR", "German_Germany.1252", "ca_ES@valencia", "zh_CN.utf8"] {
            assert!(!is_english(locale), "{locale}");
        }
    }
}
