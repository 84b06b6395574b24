//! Scans the database for usable secrets: every column has a declared kind, every value has the format of its kind, and no
//! value is a session key, token or code (ASVS 5.0 11.4.2, 13.3.1, 14.2.4). For the operator.

mod credential_hashes;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::db::{Fault, off_thread};
use crate::maintenance::{Maintenance, queries};
use crate::passwords::{LegacyHash, ParsedHash, PasswordHash};

use credential_hashes::{CredentialHashes, bytes};

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// SHA-256 of a credential. The credential itself must not be stored anywhere.
    Credential,
    /// A hash of 32 bytes over something that is not a credential.
    Digest,
    /// A password hash.
    Password,
    /// Sealed with a key that is not in the database.
    Sealed,
    /// Public half of a key pair.
    PublicKey,
    /// Not a secret.
    Plain,
}

impl ColumnKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Digest => "digest",
            Self::Password => "password",
            Self::Sealed => "sealed",
            Self::PublicKey => "public key",
            Self::Plain => "plain",
        }
    }
}

/// The declared columns, by table and kind. The scan fails for a column that is not declared.
const COLUMNS: &[(&str, &[(ColumnKind, &str)])] = &[
    ("__diesel_schema_migrations", &[(ColumnKind::Plain, "version run_on")]),
    (
        "account_links",
        &[
            (ColumnKind::Credential, "token_hash browser"),
            (ColumnKind::Plain, "user_id purpose session email created_at expires_at since email_key"),
        ],
    ),
    (
        "app_entries",
        &[
            (ColumnKind::Credential, "code_hash"),
            (ColumnKind::Digest, "state_hash"),
            (ColumnKind::Plain, "session app origin path proved_at created_at expires_at"),
        ],
    ),
    ("app_origins", &[(ColumnKind::Plain, "origin app host position")]),
    (
        "app_rules",
        &[(
            ColumnKind::Plain,
            "app position methods path_kind path networks access groups users role factor fresh_seconds tokens note",
        )],
    ),
    (
        "apps",
        &[
            (
                ColumnKind::Plain,
                "id slug name enabled mode upstream upstream_ca remote_user header_names also_from app_cookies ignore_case explain",
            ),
            (
                ColumnKind::Plain,
                "max_body connect_ms head_ms idle_ms max_in_flight host close_code source created_at",
            ),
        ],
    ),
    ("audit_chain", &[(ColumnKind::Plain, "seq event_id"), (ColumnKind::Digest, "salt personal hash")]),
    ("audit_checkpoints", &[(ColumnKind::Plain, "seq at"), (ColumnKind::Digest, "hash")]),
    ("audit_events", &[(ColumnKind::Plain, "id at act actor subject session address user_agent detail")]),
    (
        "ceremonies",
        &[(ColumnKind::Digest, "challenge_hash browser"), (ColumnKind::Plain, "purpose state expires_at")],
    ),
    (
        "decoy_tokens",
        &[
            (ColumnKind::Credential, "token_hash"),
            (ColumnKind::Plain, "account purpose created_at expires_at"),
        ],
    ),
    ("group_members", &[(ColumnKind::Plain, "group_name user_id since added_by")]),
    ("groups", &[(ColumnKind::Plain, "name note created_at")]),
    (
        "invitations",
        &[
            (ColumnKind::Plain, "id email invited_by created_at expires_at accepted_at withdrawn_at"),
            (ColumnKind::Credential, "token_hash"),
        ],
    ),
    (
        "known_browsers",
        &[(ColumnKind::Credential, "token_hash"), (ColumnKind::Plain, "user_id last_login_at expires_at")],
    ),
    (
        "lab_runs",
        &[
            (
                ColumnKind::Plain,
                "id role disabled_at algorithm signing_key oldest_key deny_list split ahead_seconds steps step_count address created_at expires_at",
            ),
            (ColumnKind::Credential, "key_hash"),
        ],
    ),
    ("lab_tokens", &[(ColumnKind::Plain, "jti run family kind issued_at used_at denied_at")]),
    ("listeners", &[(ColumnKind::Plain, "id gone since")]),
    (
        "outbox",
        &[
            (
                ColumnKind::Plain,
                "id recipient subject created_at attempts next_attempt_at expires_at sent_at last_error",
            ),
            (ColumnKind::Sealed, "sealed_body"),
        ],
    ),
    (
        "passkeys",
        &[
            (ColumnKind::Plain, "id user_id credential_id name created_at last_used_at suspect_since"),
            (ColumnKind::PublicKey, "credential"),
        ],
    ),
    ("password_lanes", &[(ColumnKind::Plain, "user_id lane failures last_at")]),
    (
        "pending_logins",
        &[
            (ColumnKind::Credential, "key_hash"),
            (ColumnKind::Plain, "user_id remember address user_agent created_at expires_at"),
            (ColumnKind::Digest, "proven"),
        ],
    ),
    ("recovery_codes", &[(ColumnKind::Credential, "code_hash"), (ColumnKind::Plain, "user_id created_at")]),
    (
        "registrations",
        &[
            (ColumnKind::Credential, "token_hash browser"),
            (ColumnKind::Plain, "email email_key name invitation created_at expires_at"),
            (ColumnKind::Password, "password_hash"),
        ],
    ),
    (
        "session_keys",
        &[
            (ColumnKind::Credential, "key_hash"),
            (ColumnKind::Plain, "session scope origin proved_at created_at last_seen_at"),
        ],
    ),
    (
        "sessions",
        &[
            (ColumnKind::Credential, "key_hash device"),
            (
                ColumnKind::Plain,
                "handle principal state remember factor address user_agent created_at confirmed_at last_seen_at expires_at revoked_at kind",
            ),
        ],
    ),
    ("setup_tokens", &[(ColumnKind::Credential, "token_hash"), (ColumnKind::Plain, "created_at")]),
    ("throttles", &[(ColumnKind::Plain, "bucket failures counting_since blocked_until")]),
    (
        "tokens",
        &[
            (ColumnKind::Credential, "token_hash"),
            (ColumnKind::Plain, "id user_id name scopes app made_by created_at last_used_at expires_at"),
        ],
    ),
    (
        "totp",
        &[
            (ColumnKind::Plain, "user_id active_at last_step failures created_at"),
            (ColumnKind::Sealed, "sealed_seed"),
        ],
    ),
    (
        "unfinished_logins",
        &[
            (ColumnKind::Credential, "key_hash"),
            (ColumnKind::Plain, "user_id address user_agent created_at due_at"),
        ],
    ),
    ("upkeep", &[(ColumnKind::Plain, "name ended_at rows")]),
    (
        "user_tokens",
        &[
            (ColumnKind::Credential, "token_hash"),
            (ColumnKind::Plain, "user_id purpose created_at expires_at"),
        ],
    ),
    (
        "users",
        &[
            (
                ColumnKind::Plain,
                "id email email_key email_idn_key name role password_changed_at disabled_at created_at last_login_at delete_after password_alone_since password_alone_until",
            ),
            (ColumnKind::Password, "password_hash"),
        ],
    ),
];

/// The result for one column.
#[derive(Clone, Debug, Serialize)]
pub struct ScannedColumn {
    pub table: String,
    pub column: String,
    /// `None` if the column is not declared.
    pub kind: Option<ColumnKind>,
    /// Values that were scanned, without NULLs.
    pub values: u64,
    /// Values that do not have the format of their kind.
    pub misshapen: u64,
    /// Values that are a usable credential or contain one.
    pub opening: u64,
}

impl ScannedColumn {
    pub fn is_clean(&self) -> bool {
        self.kind.is_some() && self.misshapen == 0 && self.opening == 0
    }
}

fn column_kind(table: &str, column: &str) -> Option<ColumnKind> {
    let (_, columns) = COLUMNS.iter().find(|(name, _)| *name == table)?;
    columns.iter().find(|(_, names)| names.split(' ').any(|name| name == column)).map(|(kind, _)| *kind)
}

impl Maintenance {
    /// Scans every value of every column, in one snapshot, a few hundred rows at a time.
    pub async fn scan_for_secrets(&self) -> Result<Vec<ScannedColumn>, Fault> {
        let db = self.db.clone();
        off_thread(move || {
            let mut conn = db.connect_dedicated()?;
            queries::in_one_snapshot(&mut conn, |conn| {
                let columns = queries::all_columns(conn)?;
                let mut found: BTreeMap<(String, String), ScannedColumn> = columns
                    .into_iter()
                    .map(|(table, column)| {
                        let kind = column_kind(&table, &column);
                        let scanned = ScannedColumn {
                            table: table.clone(),
                            column: column.clone(),
                            kind,
                            values: 0,
                            misshapen: 0,
                            opening: 0,
                        };
                        ((table, column), scanned)
                    })
                    .collect();
                let mut credentials = CredentialHashes::default();
                queries::each_row(conn, |table, row| {
                    for (column, value) in row {
                        if column_kind(table, column) == Some(ColumnKind::Credential) {
                            credentials.add(value);
                        }
                    }
                })?;
                queries::each_row(conn, |table, row| {
                    for (column, value) in row.iter().filter(|(_, value)| !value.is_null()) {
                        let Some(scanned) = found.get_mut(&(table.to_owned(), column.clone())) else {
                            continue;
                        };
                        scanned.values += 1;
                        scanned.misshapen += u64::from(scanned.kind.is_some_and(|kind| !fits(kind, value)));
                        scanned.opening += u64::from(credentials.matches_value(value));
                    }
                })?;
                Ok(found.into_values().collect())
            })
        })
        .await
    }
}

/// Whether `value` has the format of its kind.
fn fits(kind: ColumnKind, value: &Value) -> bool {
    match (kind, value) {
        (ColumnKind::Credential | ColumnKind::Digest, Value::String(text)) => {
            bytes(text).is_some_and(|bytes| bytes.len() == 32)
        }
        (ColumnKind::Password, Value::String(text)) => {
            ParsedHash::read(&PasswordHash::stored(text.as_str())).is_some() || LegacyHash::read(text).is_ok()
        }
        // Nonce and tag are 28 bytes, the id of the key four more. Sealed bytes are not printable text.
        (ColumnKind::Sealed, Value::String(text)) => bytes(text)
            .is_some_and(|bytes| bytes.len() > 28 && bytes.iter().any(|byte| !(b' '..=b'~').contains(byte))),
        (ColumnKind::PublicKey, value) => !names_something_private(value),
        (ColumnKind::Plain, _) => true,
        _ => false,
    }
}

/// Whether the name of a field, at any depth, says private or secret, or is that of the private part of a JWK (RFC 7517
/// §4).
fn names_something_private(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let name = name.to_lowercase();
            name == "d" || name.contains("priv") || name.contains("secret") || names_something_private(value)
        }),
        Value::Array(items) => items.iter().any(names_something_private),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use serde_json::json;

    fn hex(bytes: &[u8]) -> String {
        format!("\\x{}", HEXLOWER.encode(bytes))
    }

    #[test]
    fn each_kind_has_its_format() {
        let phc =
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (kind, good, bad) in [
            (ColumnKind::Credential, json!(hex(&[1; 32])), json!("poetical-science-1843")),
            (ColumnKind::Digest, json!(hex(&[1; 32])), json!(hex(&[1; 31]))),
            (ColumnKind::Password, json!(phc), json!("poetical-science-1843")),
            (
                ColumnKind::Sealed,
                json!(hex(&[200; 40])),
                json!(hex("plain words, long enough to be sealed".as_bytes())),
            ),
            (ColumnKind::PublicKey, json!({ "x": "1", "y": "2" }), json!({ "cred": { "private_key": "1" } })),
        ] {
            assert!(fits(kind, &good) && !fits(kind, &bad), "{kind:?}");
        }
    }
}
