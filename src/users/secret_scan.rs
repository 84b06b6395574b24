//! Whether what is stored could log anybody in: every column has a kind, every value has the shape of its kind, and
//! none is taken as a key, token or code when it is tried (ASVS 5.0 11.4.2, 13.3.1, 14.2.4). For the operator.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::db::{Fault, off_thread};
use crate::passwords::{Foreign, PasswordHash, Target};
use crate::secret;
use crate::users::{Maintenance, queries};

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// SHA-256 of something that opens a session, an account or a lane: what opens it must be nowhere.
    Credential,
    /// 32 bytes of a hash over what is no credential.
    Digest,
    /// A password, hashed as one.
    Password,
    /// Sealed with a key that is not in the database.
    Sealed,
    /// Public half of a key pair.
    PublicKey,
    /// Nobody is let in with it.
    Plain,
}

impl Kind {
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

/// Every column there may be, by table and kind. One that is missing here fails the audit: whoever adds it says what
/// it is.
const COLUMNS: &[(&str, &[(Kind, &str)])] = &[
    ("__diesel_schema_migrations", &[(Kind::Plain, "version run_on")]),
    (
        "account_links",
        &[
            (Kind::Credential, "token_hash browser"),
            (Kind::Plain, "user_id purpose session email created_at expires_at since email_key"),
        ],
    ),
    ("audit_chain", &[(Kind::Plain, "seq event_id"), (Kind::Digest, "salt personal hash")]),
    ("audit_checkpoints", &[(Kind::Plain, "seq at"), (Kind::Digest, "hash")]),
    ("audit_events", &[(Kind::Plain, "id at act actor subject session address user_agent detail")]),
    ("ceremonies", &[(Kind::Digest, "challenge_hash browser"), (Kind::Plain, "purpose state expires_at")]),
    (
        "decoy_tokens",
        &[(Kind::Credential, "token_hash"), (Kind::Plain, "account purpose created_at expires_at")],
    ),
    (
        "invitations",
        &[
            (Kind::Plain, "id email invited_by created_at expires_at accepted_at withdrawn_at"),
            (Kind::Credential, "token_hash"),
        ],
    ),
    (
        "known_browsers",
        &[(Kind::Credential, "token_hash"), (Kind::Plain, "user_id last_login_at expires_at")],
    ),
    (
        "lab_runs",
        &[
            (
                Kind::Plain,
                "id role disabled_at algorithm signing_key oldest_key deny_list split ahead_seconds steps step_count address created_at expires_at",
            ),
            (Kind::Credential, "key_hash"),
        ],
    ),
    ("lab_tokens", &[(Kind::Plain, "jti run family kind issued_at used_at denied_at")]),
    ("listeners", &[(Kind::Plain, "id gone since")]),
    (
        "outbox",
        &[
            (
                Kind::Plain,
                "id recipient subject created_at attempts next_attempt_at expires_at sent_at last_error",
            ),
            (Kind::Sealed, "sealed_body"),
        ],
    ),
    (
        "passkeys",
        &[
            (Kind::Plain, "id user_id credential_id name created_at last_used_at suspect_since"),
            (Kind::PublicKey, "credential"),
        ],
    ),
    ("password_lanes", &[(Kind::Plain, "user_id lane failures last_at")]),
    (
        "pending_logins",
        &[
            (Kind::Credential, "key_hash"),
            (Kind::Plain, "user_id remember address user_agent created_at expires_at"),
            (Kind::Digest, "proven"),
        ],
    ),
    ("recovery_codes", &[(Kind::Credential, "code_hash"), (Kind::Plain, "user_id created_at")]),
    (
        "registrations",
        &[
            (Kind::Credential, "token_hash browser"),
            (Kind::Plain, "email email_key name invitation created_at expires_at"),
            (Kind::Password, "password_hash"),
        ],
    ),
    (
        "sessions",
        &[
            (Kind::Credential, "key_hash device"),
            (
                Kind::Plain,
                "handle principal state remember factor address user_agent created_at confirmed_at last_seen_at expires_at revoked_at kind",
            ),
        ],
    ),
    ("setup_tokens", &[(Kind::Credential, "token_hash"), (Kind::Plain, "created_at")]),
    ("throttles", &[(Kind::Plain, "bucket failures counting_since blocked_until")]),
    (
        "totp",
        &[(Kind::Plain, "user_id active_at last_step failures created_at"), (Kind::Sealed, "sealed_seed")],
    ),
    (
        "unfinished_logins",
        &[(Kind::Credential, "key_hash"), (Kind::Plain, "user_id address user_agent created_at due_at")],
    ),
    ("upkeep", &[(Kind::Plain, "name ended_at rows")]),
    (
        "user_tokens",
        &[(Kind::Credential, "token_hash"), (Kind::Plain, "user_id purpose created_at expires_at")],
    ),
    (
        "users",
        &[
            (
                Kind::Plain,
                "id email email_key email_idn_key name role password_changed_at disabled_at created_at last_login_at delete_after password_alone_since password_alone_until",
            ),
            (Kind::Password, "password_hash"),
        ],
    ),
];

/// A column as the audit found it.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnAtRest {
    pub table: String,
    pub column: String,
    /// `None`: nobody has said what it is.
    pub kind: Option<Kind>,
    /// Values that were looked at; absent ones are none.
    pub values: u64,
    /// Values that do not have the shape of their kind.
    pub misshapen: u64,
    /// Values that open something, or hold what opens it.
    pub opening: u64,
}

impl ColumnAtRest {
    pub fn is_sound(&self) -> bool {
        self.kind.is_some() && self.misshapen == 0 && self.opening == 0
    }
}

fn kind_of(table: &str, column: &str) -> Option<Kind> {
    let (_, columns) = COLUMNS.iter().find(|(name, _)| *name == table)?;
    columns.iter().find(|(_, names)| names.split(' ').any(|name| name == column)).map(|(kind, _)| *kind)
}

impl Maintenance {
    /// Looks at every value of every column. Reads all tables, in one snapshot, a few hundred rows at a time.
    pub async fn audit_at_rest(&self) -> Result<Vec<ColumnAtRest>, Fault> {
        let db = self.db.clone();
        off_thread(move || {
            let mut conn = db.connect_dedicated()?;
            queries::in_one_snapshot(&mut conn, |conn| {
                let columns = queries::all_columns(conn)?;
                let mut found: BTreeMap<(String, String), ColumnAtRest> = columns
                    .into_iter()
                    .map(|(table, column)| {
                        let kind = kind_of(&table, &column);
                        let at_rest = ColumnAtRest {
                            table: table.clone(),
                            column: column.clone(),
                            kind,
                            values: 0,
                            misshapen: 0,
                            opening: 0,
                        };
                        ((table, column), at_rest)
                    })
                    .collect();
                let mut locks = Locks::default();
                queries::each_row(conn, |table, row| {
                    for (column, value) in row {
                        if kind_of(table, column) == Some(Kind::Credential) {
                            locks.add(value);
                        }
                    }
                })?;
                queries::each_row(conn, |table, row| {
                    for (column, value) in row.iter().filter(|(_, value)| !value.is_null()) {
                        let Some(at_rest) = found.get_mut(&(table.to_owned(), column.clone())) else {
                            continue;
                        };
                        at_rest.values += 1;
                        at_rest.misshapen += u64::from(at_rest.kind.is_some_and(|kind| !fits(kind, value)));
                        at_rest.opening += u64::from(locks.opened_by(value));
                    }
                })?;
                Ok(found.into_values().collect())
            })
        })
        .await
    }
}

/// Whether `value` has the shape of its kind.
fn fits(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Credential | Kind::Digest, Value::String(text)) => {
            bytes(text).is_some_and(|bytes| bytes.len() == 32)
        }
        (Kind::Password, Value::String(text)) => {
            Target::read(&PasswordHash::stored(text.as_str())).is_some() || Foreign::read(text).is_ok()
        }
        // Nonce and tag alone are 28 bytes, the key's id four more; what was sealed is no text any more.
        (Kind::Sealed, Value::String(text)) => bytes(text)
            .is_some_and(|bytes| bytes.len() > 28 && bytes.iter().any(|byte| !(b' '..=b'~').contains(byte))),
        (Kind::PublicKey, value) => !names_something_private(value),
        (Kind::Plain, _) => true,
        _ => false,
    }
}

/// Whether a field anywhere in it calls itself private, or is the private part of a JWK (RFC 7517 §4).
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

/// A `bytea` as Postgres writes it into JSON.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// What is kept of every key, token and code. They are all looked up by the SHA-256 of what somebody shows, so a value
/// opens something exactly if its SHA-256 is among these. The first half is enough to recognize one by.
#[derive(Default)]
struct Locks(HashSet<[u8; 16]>);

impl Locks {
    fn add(&mut self, value: &Value) {
        let stored = value.as_str().and_then(bytes);
        if let Some(half) = stored.as_deref().and_then(|stored| stored.first_chunk::<16>()) {
            self.0.insert(*half);
        }
    }

    fn opened_by(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => match bytes(text) {
                Some(bytes) => self.opened_by_bytes(&bytes),
                None => self.opened_by_text(text),
            },
            Value::Array(items) => items.iter().any(|item| self.opened_by(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.opened_by_text(name) || self.opened_by(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// As they are, as the text they may be, and in the ways bytes are written as text.
    fn opened_by_bytes(&self, bytes: &[u8]) -> bool {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.opens(bytes)
            || self.opens(secret::encode(bytes).as_bytes())
            || self.opens(STANDARD.encode(bytes).as_bytes())
            || self.opens(hex.as_bytes())
            || self.opened_by_text(&String::from_utf8_lossy(bytes))
    }

    /// The text, and whatever in it has the form of a key, a token or a recovery code.
    fn opened_by_text(&self, text: &str) -> bool {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        self.opens(text.as_bytes())
            || text.split(|c| !is_letter(c)).any(|run| {
                let code: String = run
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric())
                    .map(|c| c.to_ascii_uppercase())
                    .collect();
                self.opens(run.as_bytes())
                    || run.as_bytes().windows(KEY_LETTERS).any(|key| self.opens(key))
                    || code.as_bytes().windows(CODE_LETTERS).any(|code| self.opens(code))
            })
    }

    fn opens(&self, shown: &[u8]) -> bool {
        secret::sha256(shown).first_chunk::<16>().is_some_and(|half| self.0.contains(half))
    }
}

/// A session key or a token: 32 bytes in Base64.
const KEY_LETTERS: usize = 43;
/// A recovery code: 16 bytes in Base32.
const CODE_LETTERS: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hex(bytes: &[u8]) -> String {
        format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    #[test]
    fn what_opens_something_is_found_wherever_it_hides() {
        let key = secret::encode(&[7; 32]);
        let code = "ABCDEFGHIJKLMNOPQRSTUVWXY2";
        let mut locks = Locks::default();
        for shown in [key.as_str(), code] {
            locks.add(&json!(hex(&secret::sha256(shown.as_bytes()))));
        }
        let signed = format!("{}={key}", "+".repeat(43));
        for hiding in [
            json!(key),
            json!(format!("see https://x.example/reset-password?token={key}&more")),
            json!(format!("browser-{key}-x")),
            json!(signed),
            json!({ "deep": [{ "in": [key] }] }),
            json!({ key.as_str(): 1 }),
            json!(hex(&[7; 32])),
            json!(hex(key.as_bytes())),
            json!("abcd-efgh-ijkl-mnop-qrst-uvwx-y2"),
        ] {
            assert!(locks.opened_by(&hiding), "{hiding}");
        }
        let other = secret::encode(&[8; 32]);
        for harmless in [json!(other), json!(hex(&secret::sha256(key.as_bytes()))), json!(null), json!(7)] {
            assert!(!locks.opened_by(&harmless), "{harmless}");
        }
    }

    #[test]
    fn each_kind_has_its_shape() {
        let phc =
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (kind, good, bad) in [
            (Kind::Credential, json!(hex(&[1; 32])), json!("poetical-science-1843")),
            (Kind::Digest, json!(hex(&[1; 32])), json!(hex(&[1; 31]))),
            (Kind::Password, json!(phc), json!("poetical-science-1843")),
            (
                Kind::Sealed,
                json!(hex(&[200; 40])),
                json!(hex("plain words, long enough to be sealed".as_bytes())),
            ),
            (Kind::PublicKey, json!({ "x": "1", "y": "2" }), json!({ "cred": { "private_key": "1" } })),
        ] {
            assert!(fits(kind, &good) && !fits(kind, &bad), "{kind:?}");
        }
    }
}
