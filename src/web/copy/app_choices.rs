//! The options of the forms for apps: the value of each, and its text.

type Options = &'static [(&'static str, &'static str)];

pub const PATH_KINDS: Options = &[
    ("below", "A path and everything below it"),
    ("exact", "Only one path, with or without a slash at the end"),
];

pub const ACCESS: Options = &[
    ("listed", "The groups, users and roles below"),
    ("signed-in", "Every user"),
    ("open", "Everyone, without logging in"),
];

pub const FACTORS: Options = &[
    ("any", "Any way to log in"),
    ("two", "With a second factor or a passkey"),
    ("passkey", "With a passkey"),
];

/// Seconds.
pub const FRESH: Options = &[
    ("", "Not needed"),
    ("300", "In the last 5 minutes"),
    ("600", "In the last 10 minutes"),
    ("3600", "In the last hour"),
    ("28800", "In the last 8 hours"),
];

pub const REMOTE_USER: Options = &[("id", "An id"), ("email", "The email address")];

pub const UPSTREAM_HOST: Options =
    &[("kept", "The host name that the browser asked for"), ("upstream", "The host name of the upstream")];

pub const EXPLAIN: Options = &[
    ("off", "Nothing but the refusal"),
    ("reason", "The reason, without names of groups"),
    ("groups", "The reason, with the groups that get in"),
];

pub const LOGIN_METHODS: Options = &[
    ("password", "A password"),
    ("password+totp", "A password and an authenticator app"),
    ("password+passkey", "A password and a passkey"),
    ("passkey", "A passkey"),
    (ACCESS_TOKEN, "An access token for this app"),
];

/// The choice for a program that sends an access token, which does not log in.
pub const ACCESS_TOKEN: &str = "token";

/// Seconds since the last proof of identity.
pub const CONFIRMED: Options = &[("0", "Just now"), ("1800", "30 minutes ago"), ("86400", "A day ago")];
