//! Decodes salts and hashes.

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use super::model::LegacyHashError;

/// The last character of a salt has unused bits, which PHP fills at random.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// Standard Base64, with or without padding; passlib writes `.` for `+`.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, LegacyHashError> {
    STANDARD.decode(text.replace('.', "+")).map_err(|_| LegacyHashError::Broken)
}

pub(super) fn bcrypt(text: &str) -> Result<Vec<u8>, LegacyHashError> {
    BCRYPT.decode(text).map_err(|_| LegacyHashError::Broken)
}
