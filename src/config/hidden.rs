//! Keeps secret settings out of the serialized raw settings, of which only the names are read.

use secrecy::SecretString;
use serde::Serializer;

/// Serializes a secret as if it were not set.
pub(super) fn secret<S: Serializer>(_: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_none()
}
