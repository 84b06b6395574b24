//! Responses of authenticators, as browsers send them in JSON. Devices and password managers add fields, omit optional
//! ones or send null, and pad base64url, so only the fields that are verified are read.

use std::ops::Deref;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

/// The response that registers a passkey.
pub struct Attestation(RegisterPublicKeyCredential);

/// The response that uses a passkey.
pub struct Assertion(PublicKeyCredential);

impl<'de> Deserialize<'de> for Attestation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read_credential(from, &["attestationObject", "clientDataJSON"]).map(Self)
    }
}

impl<'de> Deserialize<'de> for Assertion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read_credential(from, &["authenticatorData", "clientDataJSON", "signature", "userHandle"]).map(Self)
    }
}

impl Deref for Attestation {
    type Target = RegisterPublicKeyCredential;

    fn deref(&self) -> &RegisterPublicKeyCredential {
        &self.0
    }
}

impl Deref for Assertion {
    type Target = PublicKeyCredential;

    fn deref(&self) -> &PublicKeyCredential {
        &self.0
    }
}

#[derive(Deserialize)]
struct CredentialJson {
    #[serde(rename = "rawId")]
    raw_id: String,
    #[serde(rename = "type")]
    kind: String,
    response: Map<String, Value>,
}

/// Reads a credential with only these fields of its response.
fn read_credential<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
    fields: &[&str],
) -> Result<T, D::Error> {
    let CredentialJson { raw_id, kind, mut response } = CredentialJson::deserialize(from)?;
    let field = |name: &&str| {
        let value = match response.remove(*name)? {
            // Some authenticators send an empty user handle instead of none.
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => unpadded(&text).into(),
            other => other,
        };
        Some(((*name).to_owned(), value))
    };
    let response: Map<String, Value> = fields.iter().filter_map(field).collect();
    let raw_id = unpadded(&raw_id);
    let plain = serde_json::json!({ "id": raw_id, "rawId": raw_id, "type": kind, "response": response });
    serde_json::from_value(plain).map_err(D::Error::custom)
}

/// base64url without padding, as the standard requires.
fn unpadded(text: &str) -> String {
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additional_and_omitted_fields_do_not_matter() {
        let response = r#""attestationObject":"-_8","clientDataJSON":"e30=""#;
        for json in [
            format!(r#"{{"rawId":"AQ","type":"public-key","response":{{{response}}}}}"#),
            format!(
                r#"{{"id":null,"rawId":"AQ==","type":"public-key","authenticatorAttachment":null,"clientExtensionResults":null,"response":{{{response},"transports":null}}}}"#
            ),
            format!(
                r#"{{"id":"x","rawId":"AQ","type":"public-key","extensions":{{}},"clientExtensionResults":{{"credProps":true,"prf":{{}}}},"response":{{{response},"transports":[7,"","cable"],"publicKey":false}}}}"#
            ),
        ] {
            let read: Attestation = serde_json::from_str(&json).unwrap();
            assert_eq!((read.raw_id.as_slice(), read.type_.as_str()), (&[1][..], "public-key"), "{json}");
            assert_eq!(read.response.attestation_object, [0xfb, 0xff]);
            assert_eq!(read.response.client_data_json, b"{}");
        }
    }

    #[test]
    fn a_user_handle_may_be_null_empty_or_missing() {
        for handle in ["", r#","userHandle":null"#, r#","userHandle":"""#] {
            let json = format!(
                r#"{{"rawId":"AQ","type":"public-key","response":{{"authenticatorData":"+/8","clientDataJSON":"e30","signature":"AA"{handle}}}}}"#
            );
            let read: Assertion = serde_json::from_str(&json).unwrap();
            assert_eq!(
                (read.response.user_handle.as_deref(), read.response.authenticator_data.as_slice()),
                (None, &[0xfb, 0xff][..])
            );
        }
    }

    #[test]
    fn fields_that_are_verified_are_required() {
        for json in [
            "{}",
            r#"{"rawId":"AQ","type":"public-key","response":{"clientDataJSON":"e30"}}"#,
            r#"{"rawId":7,"type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"AA"}}"#,
            r#"{"rawId":"AQ","type":"public-key","response":{"clientDataJSON":"{}","attestationObject":"AA"}}"#,
        ] {
            assert!(serde_json::from_str::<Attestation>(json).is_err(), "{json}");
        }
    }
}
