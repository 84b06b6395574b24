//! The texts of the API's problem documents that no form uses.

use super::phrase::Phrase;

pub const NO_TOKEN: Phrase =
    Phrase::new("no-token", "Send a token in the header “Authorization: Bearer”. Cookies are ignored here.");

pub const UNKNOWN_TOKEN: Phrase = Phrase::new(
    "invalid-token",
    "This token is not valid: it is mistyped, expired or revoked, or its user is disabled.",
);

pub const CHANGED_SINCE: Phrase = Phrase::new(
    "changed-since",
    "The item has changed or exists already, so nothing was changed. Read it and repeat the request with its current ETag.",
);

pub const BUSY: Phrase =
    Phrase::new("busy", "The server is busy, and nothing was changed. Wait as long as Retry-After says.");

pub const NOT_JSON: Phrase = Phrase::new("not-json", "The body is not valid JSON.");

pub const NOT_OBJECT: Phrase =
    Phrase::new("not-an-object", "The body must be a JSON object without nested arrays.");

pub const CONTROL_CHARACTER: Phrase =
    Phrase::new("control-character", "This text contains a control character. Remove it.");

pub const LIMIT: Phrase = Phrase::new("invalid-limit", "“limit” must be a number from 1 to 200.");

pub const FOREIGN_CURSOR: Phrase = Phrase::new(
    "foreign-cursor",
    "This cursor belongs to another query. Start without a cursor, or repeat the query that it came from.",
);

pub const OTHERS_ONLY: Phrase = Phrase::new(
    "others-only",
    "Add “others=true” to end every session except the one that created the token.",
);

pub const INVITATION_ENDED: Phrase = Phrase::new(
    "invitation-ended",
    "This invitation was accepted or withdrawn, or has expired, so it cannot be withdrawn.",
);

pub const UNKNOWN_GROUP: Phrase = Phrase::new("unknown-group", "There is no group with this name.");

pub const UNKNOWN_APP: Phrase = Phrase::new("unknown-app", "There is no app with this short name.");

pub const UNKNOWN_ACTION: Phrase =
    Phrase::new("unknown-action", "There is no action with this name. Use one such as “logged-in”.");

pub const UNKNOWN_USER: Phrase =
    Phrase::new("unknown-user", "There is no active user with this email address.");

pub const UNKNOWN_METHOD: Phrase =
    Phrase::new("invalid-login", "There is no such log-in method. Use one such as “password” or “passkey”.");

pub fn insufficient_scope(needed: &str) -> Phrase {
    Phrase::with(
        "insufficient_scope",
        format!(
            "The token lacks the scope {needed}, or its user lacks the role that the scope needs. Use another token."
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

/// The default text of a status. `reads`: the request cannot have changed anything.
pub fn standard(status: u16, reads: bool) -> Phrase {
    let (code, text) = match status {
        404 => ("not-found", "There is nothing at this path. Check it and the ids in it."),
        405 => (
            "wrong-method",
            "This path does not support the method. The header Allow lists the methods that it supports.",
        ),
        408 => ("too-slow", "The body did not arrive within ten seconds."),
        413 => ("too-large", "The body is larger than 64 KiB."),
        415 => ("wrong-media-type", "Send the body as application/json, uncompressed."),
        503 if reads => ("unavailable", "The database does not answer. Wait as long as Retry-After says."),
        503 => (
            "outcome-unknown",
            "The database did not answer in time, so the change may have been made. Read the state before you repeat the request.",
        ),
        400..=499 => ("malformed", "The request cannot be read."),
        _ => ("fault", "An error occurred in Latchkey. The log has this request under the id in “instance”."),
    };
    Phrase::new(code, text)
}
