//! A fresh database with the schema of the program for every test.

use std::sync::LazyLock;

use latchkey::db::migrations;
use test_db::{TestSchema, TestServer};

pub use test_db::Scalar;

pub type TestDb = test_db::TestDb<Latchkey>;

/// The tables of the program and those of the sessions.
pub struct Latchkey;

static SERVER: LazyLock<TestServer> =
    LazyLock::new(|| TestServer::start::<Latchkey>(env!("CARGO_TARGET_TMPDIR")));

impl TestSchema for Latchkey {
    const DIRECTORIES: &'static [&'static str] = &[
        concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/crates/sessions/migrations"),
    ];

    fn apply(url: &str) {
        migrations::run(url).unwrap();
    }

    fn server() -> &'static TestServer {
        &SERVER
    }
}
