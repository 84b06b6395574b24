//! The effects of a step, in words.

use std::time::Duration;

use super::token_refusal;
use crate::lab::jwt::Algorithm;
use crate::lab::{DenyList, Holder, Outcome, RefreshRefusal, SubjectRole};

/// The effect of a step, and what each side did for it; empty if a side did nothing.
pub struct Narration {
    pub step: String,
    pub session: String,
    pub token: String,
}

fn narrate(step: impl Into<String>, session: impl Into<String>, token: impl Into<String>) -> Narration {
    Narration { step: step.into(), session: session.into(), token: token.into() }
}

pub fn narration(outcome: &Outcome) -> Narration {
    match outcome {
        Outcome::Opened => narrate(
            "You started a run. Its user is logged in on both sides.",
            "One row is inserted. The browser gets a key of 256 random bits.",
            "Two tokens are signed. Their ids are recorded: the refresh token's so that it works only once, the access token's for a deny-list.",
        ),
        Outcome::Asked => narrate("You checked both credentials again.", "", ""),
        Outcome::LoggedIn => narrate("The user logged in.", "One row is inserted.", "Two tokens are signed."),
        Outcome::LoginRefused => narrate(
            "The user is disabled and could not log in.",
            "The log-in is refused.",
            "The log-in is refused.",
        ),
        Outcome::LoggedOut { session_ended, tokens_known, deny_list } => narrate(
            "The user logged out.",
            match session_ended {
                true => "The row is revoked, and the browser deletes the key.",
                false => "There was no live session to end.",
            },
            tokens_logged_out(*tokens_known, *deny_list),
        ),
        Outcome::LoggedOutAlready => narrate("The user is already logged out.", "", ""),
        Outcome::LoggedOutEverywhere { sessions, access_tokens, deny_list } => narrate(
            "The user logged out everywhere.",
            format!("{} revoked with one statement.", are(*sessions, "live session")),
            match deny_list {
                DenyList::None => {
                    "Every refresh token is denied. Issued access tokens stay valid until they expire."
                        .to_owned()
                }
                DenyList::Memory | DenyList::Database => format!(
                    "Every refresh token is denied, and {} denied. A rule “no token issued before now” for this user would do as well, but every check must read that, too.",
                    are(*access_tokens, "access token")
                ),
            },
        ),
        Outcome::RoleChanged { role, access_tokens_denied } => narrate(
            match role {
                SubjectRole::Admin => "The user is now an administrator.",
                SubjectRole::Member => "The user is now a member.",
            },
            "The role is read with the row, so there is nothing else to do.",
            match access_tokens_denied {
                0 => "The token still carries the role it was signed with.".to_owned(),
                count => format!(
                    "{} denied. The refresh token gets a token with the new role.",
                    are(*count, "access token")
                ),
            },
        ),
        Outcome::Disabled { access_tokens_denied } => narrate(
            "The user was disabled.",
            "The lookup finds a session only while its user is enabled.",
            match access_tokens_denied {
                0 => {
                    "No new tokens are issued. Issued access tokens stay valid until they expire.".to_owned()
                }
                count => format!("No new tokens are issued, and {} denied.", are(*count, "access token")),
            },
        ),
        Outcome::Enabled => narrate(
            "The user was enabled again.",
            "The lookup finds the user's live sessions again.",
            "New tokens are issued again.",
        ),
        Outcome::Copied => narrate(
            "A thief copied the browser's credentials.",
            "The thief has the same key. The server cannot tell the two browsers apart, and ending the session ends it for both.",
            "The thief has the same tokens. The services cannot tell the two browsers apart either.",
        ),
        Outcome::NothingToCopy => narrate("The browser has no credentials that could be copied.", "", ""),
        Outcome::Refreshed { by } => narrate(
            format!("{} used the refresh token.", actor(*by)),
            "Nothing to do: using a session extends it.",
            "The refresh token is looked up and marked as used. A new pair is signed and recorded.",
        ),
        Outcome::RefreshRefused { by, reason } => narrate(
            format!("{} tried to use the refresh token.", actor(*by)),
            "Nothing to do.",
            format!("Refused. {}", refresh_refusal(reason)),
        ),
        Outcome::NoCopy => narrate("There is no thief yet. Copy the credentials first.", "", ""),
        Outcome::TimePassed { seconds } => narrate(
            format!("{} passed.", duration(Duration::from_secs(*seconds))),
            "The row's times are moved back by that much; the database compares them with its clock.",
            "The tokens are checked against a clock that is ahead by that much.",
        ),
        Outcome::Restarted { denied_tokens_lost } => narrate(
            "The shop's server was restarted.",
            "Nothing is lost: the session is in the database.",
            match denied_tokens_lost {
                0 => "Nothing is lost: the signing key comes from the settings.".to_owned(),
                count => format!(
                    "The deny-list was in memory and is lost: {} valid again.",
                    are(*count, "denied token")
                ),
            },
        ),
        Outcome::KeyRotated { old_keys_accepted } => narrate(
            match old_keys_accepted {
                true => "The signing key was changed.",
                false => "The signing key was changed, and the old one is no longer accepted.",
            },
            "Nothing to do: a session's key is random, and this key does not sign it.",
            match old_keys_accepted {
                true => {
                    "Every service must accept the old and the new key until the last old token expires. Here, the last five keys are accepted."
                }
                false => {
                    "Every token signed with an old key is refused. Users without a newer one must log in again."
                }
            },
        ),
        Outcome::ServiceAdded { algorithm } => narrate(
            "A second service was added: the desk.",
            "The desk reads the same table, so it needs access to the database.",
            match algorithm {
                Algorithm::EdDsa => {
                    "The desk gets the public key and needs no database. New tokens name both services as their audience."
                }
                Algorithm::Hs256 => {
                    "The desk gets the secret that signs, because HS256 verifies with the same secret. New tokens name both services as their audience."
                }
            },
        ),
        Outcome::ServiceRemoved => narrate("The second service was removed.", "", ""),
        Outcome::NoSecondService => narrate("There is no second service to break into.", "", ""),
        Outcome::Forged { token_signed } => narrate(
            "A thief broke into the desk and made credentials from its data.",
            "The table stores only hashes. The thief presents one as if it were a key. The desk may only read the table: with write access, the thief could have inserted a row.",
            match token_signed {
                true => "The desk has the shared secret, so the thief signs a token with the role admin.",
                false => "The desk has only the public key, which cannot sign.",
            },
        ),
        Outcome::AlgorithmChanged { algorithm } => narrate(
            format!("Tokens are now signed with {}.", algorithm.name()),
            "",
            "The services accept this algorithm only. Tokens signed with the other one are refused (RFC 8725 §3.1).",
        ),
        Outcome::DenyListChanged { deny_list: DenyList::None } => {
            narrate("The deny-list was removed.", "", "An issued token is valid until it expires.")
        }
        Outcome::DenyListChanged { deny_list: DenyList::Memory } => narrate(
            "The deny-list is now in the shop's memory.",
            "",
            "Checking it is fast. A restart loses it, and the desk does not see it.",
        ),
        Outcome::DenyListChanged { deny_list: DenyList::Database } => narrate(
            "The deny-list is now in the database.",
            "",
            "A restart does not lose it. Every check queries the database, as a session check does.",
        ),
    }
}

fn tokens_logged_out(tokens_known: bool, deny_list: DenyList) -> &'static str {
    match deny_list {
        _ if !tokens_known => "The browser deletes both tokens. This issuer does not know them.",
        DenyList::None => {
            "The browser deletes both tokens, and the refresh token is denied. The access token cannot be denied: a copy of it stays valid until it expires."
        }
        DenyList::Memory => {
            "The browser deletes both tokens, the refresh token is denied, and the shop keeps the id of the access token in memory."
        }
        DenyList::Database => "The browser deletes both tokens, and both ids are on the deny-list.",
    }
}

fn refresh_refusal(reason: &RefreshRefusal) -> String {
    match reason {
        RefreshRefusal::Missing => "There is no refresh token.".to_owned(),
        RefreshRefusal::Invalid { refusal } => format!("{}.", token_refusal(refusal)),
        RefreshRefusal::Unknown => "This issuer has not issued that token.".to_owned(),
        RefreshRefusal::Reused { deny_list: DenyList::None } => {
            "The token was used before, so every refresh token of its family is denied. Access tokens stay valid until they expire.".to_owned()
        }
        RefreshRefusal::Reused { .. } => {
            "The token was used before, so every token of its family is denied.".to_owned()
        }
        RefreshRefusal::Denied => "The token is denied.".to_owned(),
        RefreshRefusal::SubjectDisabled => "The user is disabled.".to_owned(),
    }
}

fn actor(holder: Holder) -> &'static str {
    match holder {
        Holder::Browser => "The browser",
        Holder::Thief => "The thief",
    }
}

/// "1 access token is", "2 access tokens are".
fn are(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun} is") } else { format!("{count} {noun}s are") }
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        s if s < 3600 => format!("{} minutes", s / 60),
        s if s < 2 * 86_400 => format!("{} hours", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_verbs_agree() {
        let everywhere = |sessions| {
            narration(&Outcome::LoggedOutEverywhere {
                sessions,
                access_tokens: 1,
                deny_list: DenyList::Memory,
            })
        };
        assert_eq!(everywhere(1).session, "1 live session is revoked with one statement.");
        assert_eq!(everywhere(0).session, "0 live sessions are revoked with one statement.");
        assert!(everywhere(2).token.contains("and 1 access token is denied"));
    }
}
