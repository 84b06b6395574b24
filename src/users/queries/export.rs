//! Everything that is stored about one user.

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Array;
use diesel::sql_types::Jsonb;
use diesel::sql_types::Text;
use diesel::sql_types::Uuid as SqlUuid;

use crate::db::Fault;
use crate::identity::UserId;

/// The rows of a query as one list.
macro_rules! rows {
    ($query:literal) => {
        concat!("SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') AS rows FROM (", $query, ") t")
    };
}

/// All data stored about a user, in the format of docs/export.md: a list of rows per section. `$1` is the user, `$2` every
/// spelling of the address.
const SECTIONS: &[(&str, &str)] = &[
    (
        "profile",
        rows!(
            "SELECT id, name, email, role, created_at AS registered, last_login_at AS last_log_in, \
         password_hash IS NOT NULL AS has_password, password_changed_at AS password_changed, \
         disabled_at AS disabled, delete_after, password_alone_since, password_alone_until FROM users WHERE id = $1"
        ),
    ),
    (
        "sessions",
        rows!(
            "SELECT handle, factor, remember, address, user_agent, created_at AS logged_in, confirmed_at AS confirmed, \
         last_seen_at AS last_seen, expires_at AS expires, revoked_at AS ended, state AS data, \
         EXISTS (SELECT FROM known_browsers k WHERE k.user_id = $1 AND k.token_hash = device AND k.expires_at > now()) \
         AS browser_known FROM sessions WHERE principal = $1 ORDER BY created_at, handle"
        ),
    ),
    (
        "apps",
        rows!(
            "SELECT a.slug AS app, a.name, k.origin, k.session, k.created_at AS entered, k.last_seen_at AS last_used, \
         k.proved_at AS confirmed FROM session_keys k JOIN sessions s ON s.handle = k.session \
         LEFT JOIN apps a ON a.id = k.scope WHERE s.principal = $1 ORDER BY entered, app, session"
        ),
    ),
    (
        "tokens",
        rows!(
            "SELECT t.name, CASE WHEN a.slug IS NULL THEN t.scopes ELSE ARRAY['app:' || a.slug] END AS scopes, t.made_by AS session, \
         t.created_at AS created, t.last_used_at AS last_used, t.expires_at AS expires \
         FROM tokens t LEFT JOIN apps a ON a.id = t.app WHERE t.user_id = $1 ORDER BY t.created_at, t.id"
        ),
    ),
    (
        // Without the IP addresses and browsers of other users.
        "events",
        rows!(
            "SELECT id, at, act, CASE WHEN actor = $1 THEN 'you' WHEN actor IS NULL THEN 'nobody known' ELSE 'an administrator' END AS by, \
         subject = $1 AS about_you, session, CASE WHEN actor IS NULL OR actor = $1 THEN address ELSE '' END AS address, \
         CASE WHEN actor IS NULL OR actor = $1 THEN user_agent ELSE '' END AS user_agent, detail \
         FROM audit_events WHERE subject = $1 OR actor = $1 ORDER BY id"
        ),
    ),
    (
        "links",
        rows!(
            "SELECT purpose, NULL AS email, created_at AS created, expires_at AS expires, NULL::timestamptz AS since \
         FROM user_tokens WHERE user_id = $1 \
         UNION ALL SELECT purpose, email, created_at, expires_at, since FROM account_links WHERE user_id = $1 ORDER BY created, purpose"
        ),
    ),
    (
        "factors",
        rows!(
            "SELECT 'authenticator app' AS kind, created_at AS added, active_at AS active, failures, NULL::bigint AS left \
         FROM totp WHERE user_id = $1 \
         UNION ALL SELECT 'recovery codes', min(created_at), min(created_at), NULL, count(*) \
         FROM recovery_codes WHERE user_id = $1 HAVING count(*) > 0 ORDER BY kind"
        ),
    ),
    (
        "passkeys",
        rows!(
            "SELECT name, created_at AS added, last_used_at AS last_used, suspect_since FROM passkeys \
             WHERE user_id = $1 ORDER BY created_at, id"
        ),
    ),
    (
        "browsers",
        rows!(
            "SELECT last_login_at AS last_log_in, expires_at AS expires FROM known_browsers WHERE user_id = $1 ORDER BY last_login_at"
        ),
    ),
    (
        // The full name of a lane contains an id that identifies a browser.
        "wrong_passwords",
        rows!(
            "SELECT split_part(lane, ':', 1) AS \"from\", failures, last_at AS last FROM password_lanes WHERE user_id = $1 ORDER BY last_at"
        ),
    ),
    (
        "unfinished_log_ins",
        rows!(
            "SELECT address, user_agent, remember, created_at AS begun, expires_at AS expires FROM pending_logins \
         WHERE user_id = $1 ORDER BY created_at"
        ),
    ),
    (
        "missing_second_steps",
        rows!(
            "SELECT address, user_agent, created_at AS begun, due_at AS due FROM unfinished_logins \
         WHERE user_id = $1 ORDER BY created_at"
        ),
    ),
    (
        "groups",
        rows!(
            "SELECT group_name AS name, since, added_by IS NOT NULL AS added_by_an_administrator FROM group_members \
             WHERE user_id = $1 ORDER BY group_name"
        ),
    ),
    (
        // The rules that name the user, not those about their groups.
        "app_rules",
        rows!(
            "SELECT a.slug AS app, a.name, r.position + 1 AS rule FROM app_rules r JOIN apps a ON a.id = r.app \
             WHERE $1 = ANY (r.users) ORDER BY a.slug, r.position"
        ),
    ),
    (
        "letters",
        rows!(
            "SELECT subject, created_at AS written, sent_at AS sent, attempts, expires_at AS expires FROM outbox \
         WHERE lower(recipient) = ANY($2) ORDER BY created_at, id"
        ),
    ),
    (
        "invitations",
        rows!(
            "SELECT email AS sent_to, invited_by = $1 AS sent_by_you, created_at AS sent, expires_at AS expires, \
         accepted_at AS accepted, withdrawn_at AS withdrawn FROM invitations \
         WHERE invited_by = $1 OR lower(email) = ANY($2) ORDER BY created_at, id"
        ),
    ),
    (
        "registrations",
        rows!(
            "SELECT name, email, created_at AS registered, expires_at AS expires FROM registrations \
         WHERE lower(email) = ANY($2) ORDER BY created_at"
        ),
    ),
];

#[derive(QueryableByName)]
struct Section {
    #[diesel(sql_type = Jsonb)]
    rows: serde_json::Value,
}

/// Each section with its rows.
pub(crate) fn stored_data(
    conn: &mut PgConnection,
    id: UserId,
) -> Result<Vec<(&'static str, serde_json::Value)>, Fault> {
    let email = crate::identity::queries::email_of(conn, id)?;
    let spellings = email.as_ref().map(|email| email.key().spellings()).unwrap_or_default();
    SECTIONS
        .iter()
        .map(|(name, query)| {
            let query = diesel::sql_query(*query).bind::<SqlUuid, _>(id.0).bind::<Array<Text>, _>(&spellings);
            Ok((*name, query.get_result::<Section>(conn)?.rows))
        })
        .collect()
}
