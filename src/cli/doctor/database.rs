//! Checks the database. The checks run one after the other on one connection; if one hangs, the others are reported as
//! not checked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::pg::PgConnection;
use secrecy::ExposeSecret as _;

use super::check::{CheckContext, NOTIFY_WITHIN, failed_check, redacted, skipped};
use super::finding::{Finding, note, ok, problem, warning};
use super::{bounded, connection, maintenance};
use crate::cli::connect::{self, ReachableDatabase};
use crate::config::Settings;
use crate::db::diagnostics::{self, Rights, ServerStatus};
use crate::db::{Db, Fault, migrations};
use latchkey_sessions::ping_instances;

/// The server of local mode may have to be started first.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How much longer a check may take than the longest wait for the database, so that the check itself reports what
/// failed.
const MARGIN: Duration = Duration::from_secs(1);

const OLDEST: i32 = 140_000;

type SharedConnection = Arc<Mutex<PgConnection>>;
type Check = fn(&mut CheckContext<'_>) -> Result<Finding, Fault>;

const CHECKS: [(&str, Check); 12] = [
    ("database.version", version),
    ("database.writable", writable),
    ("database.latency", latency),
    ("database.tls", connection::tls),
    ("database.durability", durability),
    ("database.clock", clock),
    ("database.messages", messages),
    ("database.migrations", migrated),
    ("database.rights", rights),
    ("database.pooler", connection::pooler),
    ("database.listen", connection::listen),
    ("sessions.instances", instances),
];

pub fn look(settings: &Settings) -> Vec<Finding> {
    // The server of local mode stops with its last user, so `_reached` is held until the end.
    let (_reached, db, conn) = match reach(settings) {
        Ok(reached) => reached,
        Err(finding) => return all_skipped_after(finding),
    };
    let within = within(&db);
    let mut findings = vec![ok("database.reach", "connected")];
    let conn: SharedConnection = Arc::new(Mutex::new(conn));
    let mut hangs = false;
    for (check, look) in CHECKS {
        if hangs {
            findings.push(skipped(check));
            continue;
        }
        let (conn, db, settings) = (Arc::clone(&conn), db.clone(), settings.clone());
        let found = bounded(check, within, move || {
            let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            let found = look(&mut CheckContext { conn: &mut conn, db: &db, settings: &settings });
            Ok(found.unwrap_or_else(|fault| failed_check(check, &fault, &settings)))
        });
        hangs = found.is_err();
        findings.push(found.unwrap_or_else(|finding| finding));
    }
    findings.extend(if hangs { maintenance::skipped() } else { maintenance::look(&db, settings) });
    findings
}

/// Starts the server of local mode if there is no other, and connects.
fn reach(settings: &Settings) -> Result<(ReachableDatabase, Db, PgConnection), Finding> {
    let unreachable = |why: String| problem("database.reach", why, REACH);
    let starting = settings.clone();
    let reached = bounded("database.reach", START_WITHIN, move || {
        connect::database(&starting).map_err(|failure| unreachable(failure.to_string()))
    })?;
    let db =
        Db::new(reached.url.expose_secret(), settings.pool).with_direct(settings.database_direct.clone());
    let (connecting, asked) = (db.clone(), settings.clone());
    let conn = bounded("database.reach", within(&db), move || {
        connecting.connect().map_err(|fault| unreachable(redacted(&fault, &asked)))
    })?;
    Ok((reached, db, conn))
}

/// How long a check may take.
fn within(db: &Db) -> Duration {
    db.longest_wait() + MARGIN
}

const REACH: &str =
    "until it answers, every request gets 503: check host, port, name, user, password, TLS and the network";

/// Without a connection, all other checks are skipped.
fn all_skipped_after(reach: Finding) -> Vec<Finding> {
    let mut findings = vec![reach];
    findings.extend(CHECKS.map(|(check, _)| skipped(check)));
    findings.extend(maintenance::skipped());
    findings
}

fn version(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let ServerStatus { number, version, .. } = diagnostics::server(context.conn)?;
    if number < OLDEST {
        return Ok(problem(
            "database.version",
            format!("PostgreSQL {version}"),
            "14 is the oldest supported version",
        ));
    }
    Ok(ok("database.version", format!("PostgreSQL {version}")))
}

fn writable(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(context.conn)?;
    if server.standby || server.read_only {
        let what = if server.standby { "a standby" } else { "read-only" };
        return Ok(problem(
            "database.writable",
            format!("it is {what}: log-ins and revocations fail"),
            "connect to the primary: several hosts in the URL with target_session_attrs=read-write find it automatically",
        ));
    }
    Ok(ok("database.writable", "a writable primary"))
}

/// A lookup is one round trip, so this adds to the time of every page that is not served from memory.
fn latency(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let took = diagnostics::round_trip(context.conn, 20)?;
    let seen = format!("{:.1} ms, the median of 20 round trips", took.as_secs_f64() * 1000.0);
    Ok(match took.as_millis() {
        0..5 => ok("database.latency", seen),
        5..20 => note(
            "database.latency",
            seen,
            "is it in another zone? A session that is not in memory costs one round trip, a log-in about ten",
        ),
        _ => warning(
            "database.latency",
            seen,
            "move database and instances to the same region; revocations wait for two round trips",
        ),
    })
}

/// Diesel does not expose the SQLSTATE of most errors, so time-outs are recognized by the server's English messages.
fn messages(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let locale = diagnostics::server(context.conn)?.messages;
    if is_english(&locale) {
        return Ok(ok("database.messages", format!("in English (lc_messages = {locale:?})")));
    }
    Ok(warning(
        "database.messages",
        format!(
            "in another language (lc_messages = {locale:?}): a time-out is answered with 500 instead of 503"
        ),
        "as a superuser: ALTER ROLE … SET lc_messages = 'C' for the role of the application",
    ))
}

/// Whether messages in this locale are English. They are without a locale, and without a translation.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
    ["", "C", "POSIX", "en", "English"].contains(&language)
}

/// Revocations last only if commits are durable.
fn durability(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(context.conn)?;
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
            format!("commits are durable; synchronous_commit={}", server.synchronous_commit),
        ));
    }
    Ok(problem(
        "database.durability",
        format!("{} off: after a crash, revoked sessions may be live again", off.join(", ")),
        "turn it on",
    ))
}

/// Expiry and TOTP codes use the database's clock; logs and emails use the clock of this machine.
fn clock(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let (ahead, give_or_take) = diagnostics::clock_ahead(context.conn)?;
    let by = ahead.as_seconds_f64();
    let seen = format!(
        "the database's clock differs by {by:+.3} s, give or take {:.3} s",
        give_or_take.as_secs_f64()
    );
    Ok(match by.abs() - give_or_take.as_secs_f64() {
        off if off < 1.0 => ok("database.clock", seen),
        off if off < 30.0 => note("database.clock", seen, "set both clocks with NTP"),
        _ => warning(
            "database.clock",
            seen,
            "set both clocks with NTP: sessions and links expire by the database's clock, and codes of authenticator apps are refused if it is off by one step (30 s)",
        ),
    })
}

fn migrated(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let state = migrations::state(context.conn)?;
    let pending = state.pending.join(", ");
    Ok(match (state.pending.is_empty(), state.unknown.is_empty()) {
        (true, true) => ok("database.migrations", "the schema is that of this version"),
        (true, false) => note(
            "database.migrations",
            format!("a newer version has applied {}", state.unknown.join(", ")),
            "expected during an upgrade: each version works with the schema of the next",
        ),
        (false, _) if diagnostics::server(context.conn)?.may_create => warning(
            "database.migrations",
            format!("not applied yet: {pending}"),
            "`latchkey serve` applies them when it starts; `latchkey migrate` applies them now",
        ),
        (false, _) => problem(
            "database.migrations",
            format!("not applied yet, and this role cannot apply them: {pending}"),
            "run `latchkey migrate` as the owner of the tables",
        ),
    })
}

fn rights(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(context.conn)?;
    let tables = diagnostics::rights(context.conn)?;
    let missing: Vec<String> = tables.iter().filter_map(lacking).collect();
    if !missing.is_empty() {
        return Ok(problem(
            "database.rights",
            format!("{} may not {}", server.role, missing.join("; ")),
            "run docs/least-privilege.sql as the owner, and again after each upgrade that adds tables",
        ));
    }
    if server.superuser && context.settings.is_local() {
        return Ok(ok("database.rights", "the owner of the server of local mode"));
    }
    if server.superuser {
        return Ok(warning(
            "database.rights",
            format!("{} is a superuser", server.role),
            "create a role with fewer rights: docs/least-privilege.sql",
        ));
    }
    if tables.iter().any(|table| table.name == "audit_events" && (table.update || table.delete)) {
        return Ok(note(
            "database.rights",
            format!("{} may change the audit trail; `latchkey audit verify` would detect it", server.role),
            "docs/least-privilege.sql creates a role that cannot",
        ));
    }
    Ok(ok("database.rights", format!("{} has what it needs, and no more", server.role)))
}

/// The rights that are missing on a table. The application only inserts audit events, and the database writes the
/// chain.
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

/// Whether all instances answer, and whether the database has enough connections for them.
fn instances(context: &mut CheckContext<'_>) -> Result<Finding, Fault> {
    let server = diagnostics::server(context.conn)?;
    let call = ping_instances(&mut context.db.connect_dedicated()?, NOTIFY_WITHIN)?;
    let each = context.settings.pool.pool_size + 1;
    let wanted = i64::from(each) * i64::try_from(call.instances.max(1)).unwrap_or(1);
    let room = i64::from(server.connections);
    let seen = format!(
        "{}, the last answered after {:.1} ms; {} of {room} connections in use, up to {each} per instance",
        match call.instances {
            1 => "1 instance".to_owned(),
            more => format!("{more} instances"),
        },
        call.took.as_secs_f64() * 1000.0,
        server.connected,
    );
    Ok(match () {
        () if call.silent > 0 => warning(
            "sessions.instances",
            format!("{} of {} instances do not answer", call.silent, call.instances),
            "they were killed, or hang: the next revocation waits half a second for them, once, and then removes them",
        ),
        () if wanted > room => problem(
            "sessions.instances",
            seen,
            "the database has too few connections: lower LATCHKEY__DATABASE__POOL_SIZE, raise max_connections, or add a pooler",
        ),
        () if 2 * wanted > room => note(
            "sessions.instances",
            seen,
            "if all instances are replaced at once, there may be twice as many connections: replace them one by one",
        ),
        () if call.instances == 0 => note("sessions.instances", "no instance is running", ""),
        () if call.gone > 0 => note(
            "sessions.instances",
            format!("{seen}; {} rows of stopped instances", call.gone),
            "the next revocation deletes them",
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
