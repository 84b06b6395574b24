//! What browsers answer to a challenge, as JSON. Devices and password managers add fields, leave optional ones out or
//! send null, and pad their base64url; only what is verified is read, so none of that matters.

use std::ops::Deref;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

/// A passkey that was made.
pub struct Attestation(RegisterPublicKeyCredential);

/// A passkey that was used.
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

/// The answer with these fields of its response and nothing else.
fn read_credential<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
    fields: &[&str],
) -> Result<T, D::Error> {
    let CredentialJson { raw_id, kind, mut response } = CredentialJson::deserialize(from)?;
    let field = |name: &&str| {
        let value = match response.remove(*name)? {
            // Some authenticators have no user handle and say so in this way.
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

/// base64url as the standard has it, without padding.
fn unpadded(text: &str) -> String {
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_devices_add_or_leave_out_does_not_matter() {
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
    fn what_is_verified_must_be_there() {
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
