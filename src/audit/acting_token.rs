//! The access token with which an event was caused. It is stored in the detail of the event, under a key that no detail
//! has; a detail that is a text is then stored as an object.

use serde_json::{Map, Value, json};

use crate::identity::ClientToken;

/// The key of the token. Stored keys never change.
const TOKEN: &str = "by_token";

/// The key of a detail that is a text.
const TEXT: &str = "text";

/// The detail as it is stored.
pub(super) fn join(detail: &str, token: &ClientToken) -> String {
    let mut fields = match serde_json::from_str(detail) {
        Ok(Value::Object(fields)) => fields,
        _ if detail.is_empty() => Map::new(),
        _ => Map::from_iter([(TEXT.to_owned(), detail.into())]),
    };
    fields.insert(TOKEN.to_owned(), json!({ "id": token.id, "name": token.name }));
    Value::Object(fields).to_string()
}

/// A stored detail without the token, and the token.
pub(super) fn split(stored: String) -> (String, Option<ClientToken>) {
    if !stored.contains(TOKEN) {
        return (stored, None);
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(&stored) else { return (stored, None) };
    let Some(token) = fields.remove(TOKEN).as_ref().and_then(read) else { return (stored, None) };
    let detail = match fields.get(TEXT) {
        None if fields.is_empty() => String::new(),
        Some(Value::String(text)) if fields.len() == 1 => text.clone(),
        _ => Value::Object(fields).to_string(),
    };
    (detail, Some(token))
}

fn read(token: &Value) -> Option<ClientToken> {
    let id = token["id"].as_str()?.parse().ok()?;
    Some(ClientToken { id, name: token["name"].as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn every_kind_of_detail_is_read_back_with_its_token() {
        let token = ClientToken { id: Uuid::from_u128(7), name: "nightly \"report\"".into() };
        for detail in
            ["", "ada@example.org", "3", "{\"from\":\"a\",\"to\":\"b\"}", "{\"app\":\"wiki\"}", "[1]"]
        {
            let stored = join(detail, &token);
            let fields: Value = serde_json::from_str(&stored).unwrap();
            assert_eq!(fields[TOKEN]["id"], token.id.to_string(), "{stored}");
            assert_eq!(split(stored), (detail.to_owned(), Some(token.clone())));
            assert_eq!(split(detail.into()), (detail.to_owned(), None));
        }
        for other in ["by_token", "{\"by_token\":1}", "{\"by_token\":{\"id\":\"x\",\"name\":\"y\"}}"] {
            assert_eq!(split(other.into()), (other.to_owned(), None));
        }
    }
}
