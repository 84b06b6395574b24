//! Error pages and problem documents: only what is known, and what to do.

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $heading:literal, $text:literal);* $(;)?) => {
        /// Why a request was not answered as asked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode { $($(#[$doc])* $name),* }

        impl ErrorCode {
            pub fn copy(self) -> ErrorCopy {
                match self { $(Self::$name => ErrorCopy { code: $code, heading: $heading, text: $text }),* }
            }
        }
    };
}

pub struct ErrorCopy {
    pub code: &'static str,
    pub heading: &'static str,
    pub text: &'static str,
}

errors! {
    LogIn = "log-in", "You're not logged in", "Log in, then try again.";
    Confirm = "confirm", "Confirm it's you", "Confirm it's you, then try again.";
    LoggedInSince = "logged-in-since", "You're already logged in", "You've logged in since you opened this page.";
    ForeignForm = "foreign-form", "This form is out of date", "It doesn't belong to the session in this browser, so nothing was changed. This happens if you log in or out while a page is open. Open the page again and submit the form once more.";
    NoCookies = "no-cookies", "Your browser sent no cookies", "Latchkey needs a cookie to recognize its own forms, so nothing was changed. Allow cookies for this site, open the page again and submit the form once more.";
    CrossSite = "cross-site", "This form came from another site", "Your browser says that another site sent this form, so nothing was changed. If you sent it from one of our pages, open that page again and submit it once more.";
    Malformed = "malformed", "We can't read this request", "It contains characters that aren't allowed. Type the text again, by hand if you pasted it.";
    BadRequest = "bad-request", "We can't read this request", "None of our pages sends a request like this. Go back and try again.";
    /// A request that changes something.
    NotAllowed = "not-allowed", "You don't have permission to do this", "Nothing was changed. Ask an administrator if you need access.";
    Forbidden = "forbidden", "You don't have access to this page", "Ask an administrator if you need it.";
    NotFound = "not-found", "Page not found", "Check the address. What was here may no longer exist.";
    WrongMethod = "wrong-method", "This page can't be opened that way", "Go back and use the buttons on the page.";
    TooSlow = "too-slow", "This took too long", "Your form didn't arrive in time. Check your connection and submit it again.";
    TooLarge = "too-large", "This is too long", "The form is larger than we accept. Shorten what you typed and submit it again.";
    WrongMediaType = "wrong-media-type", "We can't read this request", "This address only accepts the form on its page.";
    Busy = "busy", "We're busy right now", "Too many passwords are being checked at once. Nothing was changed. Wait a few seconds, then try again.";
    /// The database did not answer, so the change may have been committed.
    OutcomeUnknown = "outcome-unknown", "We don't know whether this was done", "Our database didn't answer in time. Wait a moment, then go back to the page and check before you submit the form again.";
    Unavailable = "unavailable", "We can't load this page right now", "Our database isn't answering. Wait a moment, then try again.";
    Refused = "refused", "This didn't work", "None of our pages sends a request like this. Go back and try again.";
    Fault = "fault", "Something went wrong on our side", "We've recorded it under the code below. Try again. If it happens again, send us the code.";
}
