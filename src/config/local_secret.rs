//! The secret of local mode, which is created once in the data directory and readable only by its owner.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::Misconfigured;
use crate::secret::{SECRET_MIN_BYTES, Secret, WeakSecret};

/// What to do if the data directory has no secret yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    Create,
    /// For read-only commands: use a secret that is not stored.
    Pretend,
}

/// The secret, and whether the data directory contains it.
pub(super) fn of(data_dir: &Path, if_missing: IfMissing) -> Result<(Secret, bool), Misconfigured> {
    let path = data_dir.join("secret");
    let failed = |error: &dyn fmt::Display| Misconfigured::new(format!("{}: {error}", path.display()));
    let kept = |text: SecretString| {
        parse(text.expose_secret(), &path.display().to_string()).map(|secret| (secret, true))
    };
    match fs::read_to_string(&path) {
        Ok(text) => return kept(text.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    let text = Secret::generate().map_err(|error| failed(&error))?;
    if if_missing == IfMissing::Pretend {
        return Ok((parse(text.expose_secret(), "a generated secret")?, false));
    }
    fs::create_dir_all(data_dir).map_err(|error| failed(&error))?;
    // Written to a temporary file and linked into place, so that two concurrent first starts use the same secret and neither
    // reads half of it.
    let fresh = data_dir.join(format!("secret.{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| failed(&error))?;
    let linked = fs::hard_link(&fresh, &path);
    let _ = fs::remove_file(&fresh);
    match linked {
        Ok(()) => kept(text),
        Err(_) => {
            fs::read_to_string(&path).map_err(|error| failed(&error)).and_then(|text| kept(text.into()))
        }
    }
}

/// Parses a secret.
///
/// * `name`: the setting or file, for the error message.
pub(super) fn parse(text: &str, name: &str) -> Result<Secret, Misconfigured> {
    Secret::parse(text).map_err(|weak| {
        Misconfigured::new(match weak {
            WeakSecret::TooShort => {
                format!("{name} is too short: at least {SECRET_MIN_BYTES} bytes")
            }
            WeakSecret::Repetitive => format!(
                "{name} repeats a few characters: use random bytes, for example from `openssl rand -base64 48`"
            ),
        })
    })
}
