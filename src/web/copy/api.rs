//! The sentences of the API's problem documents that no form has.

use super::phrase::Phrase;

pub const NO_TOKEN: Phrase =
    Phrase::new("no-token", "Send a token in the header “Authorization: Bearer”. Cookies are ignored here.");

pub const UNKNOWN_TOKEN: Phrase = Phrase::new(
    "invalid-token",
    "This is not a live token: it is mistyped, expired or revoked, or its user was disabled.",
);

pub const CHANGED_SINCE: Phrase = Phrase::new(
    "changed-since",
    "The state is not the one that the request names, so nothing was changed. Read it again and repeat the request with its new ETag.",
);

pub const BUSY: Phrase =
    Phrase::new("busy", "The server is busy, and nothing was changed. Wait as long as Retry-After says.");

pub const NOT_JSON: Phrase = Phrase::new("not-json", "The body is not JSON.");

pub const NOT_OBJECT: Phrase =
    Phrase::new("not-an-object", "The body is a JSON object, and lists in it contain objects or texts.");

pub const CONTROL_CHARACTER: Phrase =
    Phrase::new("control-character", "This text contains a control character. Remove it.");

pub const LIMIT: Phrase = Phrase::new("invalid-limit", "“limit” is a number from 1 to 200.");

pub const FOREIGN_CURSOR: Phrase = Phrase::new(
    "foreign-cursor",
    "This cursor belongs to another query. Start without a cursor, or repeat the query that it came from.",
);

pub const OTHERS_ONLY: Phrase =
    Phrase::new("others-only", "Add “others=true” to end every session except the one that made the token.");

pub const UNKNOWN_USER: Phrase =
    Phrase::new("unknown-user", "There is no active user with this email address.");

pub const UNKNOWN_METHOD: Phrase = Phrase::new("invalid-login", "This is not a way to log in.");

pub fn insufficient_scope(needed: &str) -> Phrase {
    Phrase::with(
        "insufficient_scope",
        format!(
            "The token needs the scope {needed}, and its user the role for it. Use a token that has them."
        ),
    )
}

/// A body that is JSON, but not of the expected form. `reason` comes from the parser.
pub fn unexpected_value(reason: &str) -> Phrase {
    Phrase::with("unexpected-value", format!("The body does not have the documented form: {reason}."))
}

/// A query that does not have the documented parameters. `reason` comes from the parser.
pub fn unexpected_parameter(reason: &str) -> Phrase {
    Phrase::with("unexpected-parameter", format!("The query does not have the documented form: {reason}."))
}

/// What is known about a status without a reason of its own. `reads`: the request would not have changed anything.
pub fn standard(status: u16, reads: bool) -> Phrase {
    let (code, text) = match status {
        404 => ("not-found", "Nothing is at this address. Check the path and the ids in it."),
        405 => (
            "wrong-method",
            "This address does not have this method. The header Allow names those that it has.",
        ),
        408 => ("too-slow", "The body did not arrive within ten seconds."),
        413 => ("too-large", "The body is larger than 64 KiB."),
        415 => ("wrong-media-type", "Send the body as application/json, not compressed."),
        503 if reads => ("unavailable", "The database does not answer. Wait as long as Retry-After says."),
        503 => (
            "outcome-unknown",
            "The database did not answer in time, so the change may have been made. Read the state before you repeat the request.",
        ),
        400..=499 => ("malformed", "The request cannot be read."),
        _ => ("fault", "Something went wrong in Latchkey. The log names this request by “instance”."),
    };
    Phrase::new(code, text)
}
