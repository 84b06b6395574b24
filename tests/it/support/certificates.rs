//! A certificate authority of the tests and its certificates, created for each test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::DataDir;

pub struct Certificates(DataDir);

impl Certificates {
    pub fn new() -> Self {
        let dir = DataDir::new();
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("smtp-venv").join("bin/python");
        assert!(python.exists(), "{} is missing: bin/test makes it", python.display());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/certificates.py");
        let made = Command::new(python).arg(script).arg(dir.path()).status().unwrap();
        assert!(made.success(), "{made}");
        Self(dir)
    }

    /// The directory of the files that tests/tls/certificates.py lists: `right.pem`, `right.key`, `ca.pem`…
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
