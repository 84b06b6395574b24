//! Cursors: the key of the last item of a page, signed together with the query that it belongs to.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::{Secret, encode};

/// The purpose that cursors are signed for.
const CURSOR: &str = "api-cursor";

/// * `query`: path and parameters, without the cursor and the limit.
pub fn sign<K: Serialize>(secret: &Secret, query: &str, key: &K) -> String {
    let key = encode(&serde_json::to_vec(key).unwrap_or_default());
    let mac = encode(&secret.mac(CURSOR, &[query.as_bytes(), key.as_bytes()]));
    format!("{key}.{mac}")
}

/// The key of a cursor; `None` if it is not a cursor of this query.
pub fn verify<K: DeserializeOwned>(secret: &Secret, query: &str, cursor: &str) -> Option<K> {
    let (key, mac) = cursor.split_once('.')?;
    if !secret.signed(CURSOR, &[query.as_bytes(), key.as_bytes()], mac) {
        return None;
    }
    serde_json::from_slice(&BASE64URL_NOPAD.decode(key.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_only_for_its_query_and_cannot_be_forged() {
        let secret = Secret::parse("only-for-tests-0123456789-abcdefghijkl").unwrap();
        let cursor = sign(&secret, "/users?q=a", &("x", 7));
        assert_eq!(verify::<(String, i64)>(&secret, "/users?q=a", &cursor), Some(("x".into(), 7)));
        let (key, mac) = cursor.split_once('.').unwrap();
        for (query, cursor) in [
            ("/users?q=b", cursor.as_str()),
            ("/groups?q=a", &cursor),
            ("/users?q=a", key),
            ("/users?q=a", ""),
            ("/users?q=a", &format!("{key}.{}", &mac[1..])),
            ("/users?q=a", &format!("{}.{mac}", encode(b"[\"y\",7]"))),
        ] {
            assert_eq!(verify::<(String, i64)>(&secret, query, cursor), None, "{query} {cursor}");
        }
    }
}
