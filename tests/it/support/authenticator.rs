//! A software authenticator: creates passkeys and signs with them as a browser with a device does (WebAuthn Level 3, §6
//! and §7), and sends wrong values if a test asks for them.

use std::io;

use latchkey::secret::{encode, random, sha256};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// One passkey on one device.
#[derive(Clone)]
pub struct Authenticator {
    pub key: SigningKey,
    pub id: Vec<u8>,
    /// The user handle that the site gave at registration; sent with every signature.
    pub user: Option<Vec<u8>>,
    /// The origin that the browser reports.
    pub origin: String,
    /// The site that it signs for.
    pub site: String,
    /// Whether it verified its user with a PIN, a fingerprint or a face.
    pub verifies: bool,
    /// Whether it reports user presence.
    pub present: bool,
    /// Phones and password managers do not count and always send 0.
    pub counts: bool,
    /// Increments with every signature.
    pub counter: u32,
}

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const HAS_KEY: u8 = 1 << 6;

impl Authenticator {
    pub fn new(origin: &str) -> Self {
        let key = loop {
            // Almost every number of 256 bits is a valid key.
            if let Ok(key) = SigningKey::from_slice(&bytes::<32>()) {
                break key;
            }
        };
        Self {
            key,
            id: bytes::<32>().to_vec(),
            user: None,
            origin: origin.to_owned(),
            site: "localhost".into(),
            verifies: true,
            present: true,
            counts: true,
            counter: 0,
        }
    }

    /// The response to creation options: the public key of the new passkey.
    pub fn make(&mut self, options: &Value) -> Value {
        self.counter += u32::from(self.counts);
        let options = &options["publicKey"];
        self.user = Some(decoded(&options["user"]["id"]));
        let point = self.key.verifying_key().to_sec1_point(false);
        let point = point.as_bytes();
        let mut data = self.data(HAS_KEY);
        data.extend([0; 16]);
        data.extend((u16::try_from(self.id.len()).expect("a short id")).to_be_bytes());
        data.extend(&self.id);
        // COSE: an EC2 key for ES256 on P-256 (RFC 9053 §7.1.1).
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        let length = u16::try_from(data.len()).expect("short data").to_be_bytes();
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".as_slice(), &length, &data].concat();
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "attestationObject": encode(&object),
                "clientDataJSON": encode(self.client_data("webauthn.create", options).as_bytes()),
            },
        })
    }

    /// The response to request options: a signature.
    pub fn sign(&mut self, options: &Value) -> Value {
        self.counter += u32::from(self.counts);
        let client_data = self.client_data("webauthn.get", &options["publicKey"]);
        let data = self.data(0);
        let signed = [data.as_slice(), &sha256(client_data.as_bytes())].concat();
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "response": {
                "authenticatorData": encode(&data),
                "clientDataJSON": encode(client_data.as_bytes()),
                "signature": encode(signature.to_der().as_bytes()),
                "userHandle": self.user.as_deref().map(encode),
            },
        })
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = sha256(self.site.as_bytes()).to_vec();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        data.push(flags | flag(self.present, PRESENT) | flag(self.verifies, VERIFIED));
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        })
        .to_string()
    }
}

fn bytes<const N: usize>() -> [u8; N] {
    random().map_err(io::Error::other).expect("randomness")
}

fn decoded(text: &Value) -> Vec<u8> {
    latchkey::secret::decode::<16>(text.as_str().expect("base64url")).expect("16 bytes").to_vec()
}
