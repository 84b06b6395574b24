//! The pages and problem documents that users and scripts get on the host of an app, before the app answers.

macro_rules! front_copy {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $heading:literal, $text:literal);* $(;)?) => {
        /// Why the front door answers instead of the app.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FrontCode { $($(#[$doc])* $name),* }

        impl FrontCode {
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn copy(self) -> FrontCopy {
                match self {
                    $(Self::$name => FrontCopy { status: $status, code: $code, heading: $heading, text: $text }),*
                }
            }
        }
    };
}

pub struct FrontCopy {
    pub status: u16,
    /// A page contains it as it is; a problem document contains it after `urn:latchkey:`.
    pub code: &'static str,
    pub heading: &'static str,
    pub text: &'static str,
}

front_copy! {
    /// A script, an image or a websocket without a key.
    LogIn = 401, "log-in", "You're not logged in", "Log in at the address in log_in, then try again.";
    TooManyTokens = 429, "too-many-tokens", "Too many unknown access tokens", "Your network has sent too many unknown access tokens. Wait, then try again with a valid one.";
    NotSent = 401, "not-sent", "Not sent", "You're not logged in any more. Log in in a new tab, then reload this page to send it again.";
    Frame = 401, "frame", "You're not logged in", "Log in in a new tab, then reload this page.";
    NotAllowed = 403, "not-allowed", "You don't have access", "Ask an administrator if you need it.";
    Confirm = 401, "confirm", "Confirm it's you", "Enter your password again, then try again.";
    ConfirmNotSent = 401, "confirm-not-sent", "Not sent", "This step needs a recent password. Confirm it's you in a new tab, then reload this page to send it again.";
    ConfirmFrame = 401, "confirm-frame", "Confirm it's you", "Enter your password in a new tab, then reload this page.";
    SecondFactorMissing = 403, "second-factor-missing", "Set up a second step first", "This app asks for a second step when you log in, and you haven't set one up yet.";
    SecondFactorNeeded = 403, "second-factor-needed", "Log in with your second step", "This app asks for a second step, and you logged in without one. Log out, then log in again.";
    PasskeyMissing = 403, "passkey-missing", "Set up a passkey first", "This app asks you to log in with a passkey, and you haven't added one yet.";
    PasskeyNeeded = 403, "passkey-needed", "Log in with your passkey", "This app asks you to log in with a passkey. Log out, then log in again with yours.";
    CrossSite = 403, "cross-site", "This came from another site", "Your browser says that another site sent this, so it wasn't passed on. If you sent it from the app, open the app again and repeat it.";
    PreflightRefused = 403, "preflight", "This site may not call the app", "The site that sent the request isn't among those that may call this app.";
    Unknown = 403, "app.unknown", "There is no app here", "Check the address. The app may have been removed or disabled.";
    PathAmbiguous = 403, "path.ambiguous", "This address can be read in two ways", "This app has rules for some of its paths, so an address that can be read in two ways is refused. Check the address for //, dots, backslashes and unnecessary %-codes.";
    Misconfigured = 403, "front.misconfigured", "This app isn't set up correctly", "The server can't apply the app's rules to this request. Tell the operator; the log has the details.";
    Unavailable = 503, "unavailable", "We can't open this app right now", "We can't check who you are at the moment. Wait a few seconds, then try again.";
    Busy = 503, "busy", "This app is busy", "Too many requests are waiting for it. Wait a few seconds, then try again.";
    Unreachable = 502, "unreachable", "The app isn't answering", "We couldn't connect to it. Try again in a moment. If it happens again, tell the operator.";
    BadAnswer = 502, "bad-answer", "The app sent an answer we can't pass on", "Try again in a moment. If it happens again, tell the operator.";
    TimedOut = 504, "timed-out", "The app took too long", "It may still be working on your request. Check before you send it again.";
    TooLarge = 413, "too-large", "This is too large", "The app limits how much you can send at once. Send less, or a smaller file.";
    BadRequest = 400, "bad-request", "We can't read this request", "Check the address and try again.";
    Misdirected = 421, "misdirected", "Nothing is served under this name", "Check the address. If you run this server, give an app an address with this name.";
    NotFound = 404, "not-found", "Page not found", "Latchkey has no page at this address. Check the address, or open the app.";
    WrongMethod = 405, "wrong-method", "This page can't be opened that way", "Go back and use the buttons on the page.";
    /// The browser came back without the state cookie.
    NoStateCookie = 400, "no-state-cookie", "Your browser didn't keep our cookie", "We can't log you in to this app without it. Allow cookies for this site, then try again.";
    /// The browser already has a live key when it asks for one.
    KeyNotPassed = 200, "already-in", "You're already logged in", "Continue to the app. If you keep coming back here, the proxy in front of the app doesn't pass our cookie on.";
    CodeUsed = 400, "code-used", "This link has been used", "It works only once, within a minute. Open the app again.";
    Leave = 200, "leave", "Leave this app?", "This browser loses access to this app. You stay logged in elsewhere.";
    Left = 200, "left", "You've left this app", "As long as you're logged in, opening it again lets you back in.";
    FormExpired = 403, "foreign-form", "This form is out of date", "Nothing was changed. Open the page again and try once more.";
    Fault = 500, "fault", "Something went wrong on our side", "We've recorded it under the code below. Try again. If it happens again, send us the code.";
}

/// Labels of links and buttons.
pub const LOG_IN_IN_NEW_TAB: &str = "Log in in a new tab";
pub const CONFIRM_IN_NEW_TAB: &str = "Confirm in a new tab";
pub const SET_UP: &str = "Open security settings";
pub const TRY_AGAIN: &str = "Try again";
pub const CONTINUE: &str = "Continue";
pub const OPEN_APP: &str = "Open the app";
pub const LEAVE: &str = "Leave this app";
pub const LOG_OUT: &str = "Log out of everything";
pub const YOUR_APPS: &str = "Your apps";

/// Details of [`FrontCode::LogIn`] for a program that has sent an access token.
pub const TOKEN_UNKNOWN: &str = "This access token is not valid for this app: it is unknown, has expired, was revoked, or is for something else.";
pub const TOKEN_NOT_ACCEPTED: &str = "The rule for this address accepts no access tokens.";

/// Who is refused.
pub fn logged_in_as(name: &str, email: &str) -> String {
    format!("You're logged in as {name} ({email}).")
}
