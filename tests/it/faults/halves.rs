//! Finds incomplete changes: compares the rows with the audit trail.

use diesel::PgConnection;

use super::outcome::Outcome;
use super::rows;

/// Each inconsistency, and the query that finds it.
const HALVES: [(&str, &str); 8] = [
    (
        "a session without its line in the trail",
        "SELECT handle::text FROM sessions s WHERE NOT EXISTS \
         (SELECT FROM audit_events e WHERE e.session = s.handle AND e.act = 'logged-in')",
    ),
    (
        "a log-in in the trail without its session",
        "SELECT id::text FROM audit_events e WHERE e.act = 'logged-in' AND NOT EXISTS \
         (SELECT FROM sessions s WHERE s.handle = e.session)",
    ),
    (
        "a session that is over in the trail only",
        "SELECT handle::text FROM sessions s WHERE revoked_at IS NULL AND EXISTS \
         (SELECT FROM audit_events e WHERE e.session = s.handle AND e.act IN ('session-revoked', 'logged-out') \
          AND e.subject = s.principal AND e.act = 'logged-out')",
    ),
    (
        "a role other than the last in the trail",
        "SELECT email FROM users u WHERE role <> (SELECT detail::json->>'to' FROM audit_events e \
         WHERE e.subject = u.id AND e.act = 'role-changed' ORDER BY id DESC LIMIT 1)",
    ),
    (
        "enabled or disabled other than the trail says",
        "SELECT email FROM users u WHERE (disabled_at IS NULL) <> (SELECT act = 'enabled' FROM audit_events e \
         WHERE e.subject = u.id AND e.act IN ('enabled', 'disabled') ORDER BY id DESC LIMIT 1)",
    ),
    (
        "a live session of a disabled user",
        "SELECT handle::text FROM sessions s JOIN users u ON u.id = s.principal \
         WHERE u.disabled_at IS NOT NULL AND s.revoked_at IS NULL",
    ),
    (
        "a key of an app whose session has ended",
        "SELECT session::text FROM session_keys k JOIN sessions s ON s.handle = k.session \
         WHERE s.revoked_at IS NOT NULL",
    ),
    (
        "a key of an app without its line in the trail",
        "SELECT session::text FROM session_keys k WHERE NOT EXISTS \
         (SELECT FROM audit_events e WHERE e.session = k.session AND e.act = 'app.entered')",
    ),
];

pub fn judge(conn: &mut PgConnection, outcome: &mut Outcome) {
    for (what, query) in HALVES {
        outcome.wrong.extend(rows(conn, query).into_iter().map(|which| format!("{what}: {which}")));
    }
}
