//! A fresh database for every test, with the tables of the sessions only.

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use diesel_migrations::MigrationHarness as _;
use test_db::{TestSchema, TestServer};

pub type TestDb = test_db::TestDb<Sessions>;

/// The tables of this crate.
pub struct Sessions;

static SERVER: LazyLock<TestServer> =
    LazyLock::new(|| TestServer::start::<Sessions>(env!("CARGO_TARGET_TMPDIR")));

impl TestSchema for Sessions {
    const DIRECTORIES: &'static [&'static str] = &[concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")];

    fn apply(url: &str) {
        let mut conn = latchkey_db::connect(url, "latchkey").unwrap();
        conn.run_pending_migrations(latchkey_sessions::MIGRATIONS).unwrap();
    }

    fn server() -> &'static TestServer {
        &SERVER
    }
}

/// The text of a key in which every byte is `byte`.
pub fn text_of_key(byte: u8) -> String {
    BASE64URL_NOPAD.encode(&[byte; 32])
}

/// The 32 bytes of a key's text.
pub fn bytes_of_key(text: &str) -> Option<[u8; 32]> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}
