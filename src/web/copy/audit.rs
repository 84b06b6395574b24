//! The sentences of the audit trail.

use crate::audit::{Actor, AuditAction, DetailReason, EndedOf, Event as AuditEvent, EventDetail};
use crate::device;
use crate::identity::LoginMethod;
use crate::login::EndedSession;
use crate::unicode::direction::isolated;
use crate::web::copy::changes::{app_change, applied_changes, field_change};
use crate::web::copy::moments::moment;

/// The session that was ended, as far as the event tells: "The session on Firefox on Linux that began 1 May 2026, …".
fn ended_session(detail: &str) -> String {
    let Some(ended) = EndedSession::read(detail) else { return "A session".to_owned() };
    let began = ended.began().map(|at| format!(" that began {}", moment(at))).unwrap_or_default();
    format!("The session on {}{began}", in_a_sentence(&ended.device))
}

/// The name of a device, within a sentence.
pub(super) fn in_a_sentence(device: &str) -> &str {
    if device == device::name("") { "an unknown device" } else { device }
}

fn ended_sessions(detail: &str) -> String {
    let Some(EventDetail::EndedSessions { ended, whose }) = EventDetail::read(detail) else {
        return "Sessions were ended".to_owned();
    };
    match (whose, ended) {
        (EndedOf::Everyone, _) => format!("The sessions of all users were ended: {ended}"),
        (EndedOf::User, 1) => "1 session was ended".to_owned(),
        (EndedOf::User, _) => format!("{ended} sessions were ended"),
        (EndedOf::UserOthers, 1) => "1 other session was ended".to_owned(),
        (EndedOf::UserOthers, _) => format!("{ended} other sessions were ended"),
    }
}

/// Continues a sentence such as "Log-in refused:".
fn because(reason: DetailReason) -> &'static str {
    match reason {
        DetailReason::UnknownPasskey => "unknown passkey",
        DetailReason::UserNotVerified => "the device didn't check who used it",
        DetailReason::InvalidSignature => "the signature is invalid",
        DetailReason::PasswordAlone => "the password alone still logs in",
        DetailReason::CodeReused => "the code had been used",
        DetailReason::AccountChanged => "the account was changed at the same time",
        DetailReason::WeakPassword => "it is weaker than new ones must be, so choose another",
    }
}

/// The sentence of an event, and how serious it is: `good`, `plain`, `warn` or `bad`.
pub fn sentence(event: &AuditEvent) -> (String, &'static str) {
    let detail = &*event.detail;
    let Some(act) = event.action else { return ("An event that a newer version recorded".into(), "plain") };
    let with = |text: &str| match EventDetail::read(detail) {
        _ if detail.is_empty() => text.to_owned(),
        Some(EventDetail::Passkey { passkey, reason: None }) => format!("{text}: {}", isolated(&passkey)),
        Some(EventDetail::Passkey { passkey, reason: Some(reason) }) => {
            format!("{text}: {}, {}", isolated(&passkey), because(reason))
        }
        Some(EventDetail::RecoveryCodes { codes_left }) => format!("{text}, {codes_left} left"),
        Some(EventDetail::Reason { reason }) => format!("{text}: {}", because(reason)),
        Some(EventDetail::App { app }) => format!("{text}: {app}"),
        Some(EventDetail::AppChanged(change)) => format!("{text}: {}", app_change(&change)),
        Some(EventDetail::AppsApplied { applied, groups }) => {
            format!("{text}: {}", applied_changes(&applied, &groups))
        }
        Some(EventDetail::Group { group, note: Some(note) }) => {
            format!("{text}: {group}, {}", field_change(&note))
        }
        Some(EventDetail::Group { group, note: None }) => format!("{text}: {group}"),
        Some(EventDetail::Token(token)) => {
            format!("{text}: {} ({})", isolated(&token.token), token.scopes.join(", "))
        }
        Some(EventDetail::EndedSessions { .. }) | None => format!("{text}: {}", isolated(detail)),
    };
    match act {
        AuditAction::Registered => ("Registered".into(), "good"),
        AuditAction::LoggedIn => ("Logged in".into(), "good"),
        AuditAction::LogInRefused => (with("Log-in refused"), "bad"),
        AuditAction::LoggedOut => ("Logged out".into(), "plain"),
        AuditAction::Confirmed => match LoginMethod::parse_confirmed(detail) {
            Some(factor) => (format!("Confirmed with {}", factor.in_words()), "plain"),
            None => (with("Confirmed"), "plain"),
        },
        AuditAction::ConfirmRefused if !detail.is_empty() => (with("Confirmation refused"), "bad"),
        AuditAction::ConfirmRefused => ("Wrong password at confirmation".into(), "bad"),
        AuditAction::PasswordChanged => ("Password changed".into(), "warn"),
        AuditAction::PasswordReset => ("Password set with a reset link".into(), "warn"),
        AuditAction::ResetRequested => (with("Reset link requested"), "warn"),
        AuditAction::PasswordLocked => ("Password locked after too many wrong attempts".into(), "bad"),
        AuditAction::PasswordUnlocked => ("Password unlocked".into(), "warn"),
        AuditAction::EmailChangeAsked => ("Email change requested".into(), "warn"),
        AuditAction::EmailChangeCancelled => ("Email change cancelled".into(), "warn"),
        AuditAction::EmailChanged => ("Email address changed".into(), "warn"),
        AuditAction::EmailRestored => ("Email change undone with a mailed link".into(), "warn"),
        AuditAction::SessionDisowned => (
            format!(
                "{} was reported with a mailed link: “This wasn't me”. Every session was ended",
                ended_session(detail)
            ),
            "bad",
        ),
        AuditAction::NameChanged => (changed("Name changed", event), "plain"),
        // The browser that is shown beside it is the one it was ended from.
        AuditAction::SessionRevoked
            if matches!(event.by(), Actor::Owner(_)) && !event.browser().is_empty() =>
        {
            let from = device::name(event.browser());
            (format!("{} was ended from {}", ended_session(detail), in_a_sentence(&from)), "warn")
        }
        AuditAction::SessionRevoked => (format!("{} was ended", ended_session(detail)), "warn"),
        AuditAction::SessionsRevoked => (ended_sessions(detail), "warn"),
        AuditAction::RoleChanged => (changed("Role changed", event), "warn"),
        AuditAction::Disabled => ("Account disabled".into(), "bad"),
        AuditAction::Enabled => ("Account enabled".into(), "good"),
        AuditAction::Invited => (with("Invitation sent"), "plain"),
        AuditAction::InvitationWithdrawn => (with("Invitation withdrawn"), "plain"),
        AuditAction::Imported => ("Imported from another system".into(), "good"),
        AuditAction::PasswordMovedIn => {
            (with("The imported password was accepted"), if detail.is_empty() { "good" } else { "warn" })
        }
        AuditAction::PasskeyAdded => (with("Passkey added"), "warn"),
        AuditAction::PasskeyRenamed if event.change().is_some() => {
            (changed("Passkey renamed", event), "plain")
        }
        AuditAction::PasskeyRenamed => (with("Passkey renamed"), "plain"),
        AuditAction::PasskeyRemoved => (with("Passkey removed"), "warn"),
        AuditAction::PasskeyStepOn => ("Passkey required after the password".into(), "good"),
        AuditAction::PasskeyStepOff => ("Passkey no longer required after the password".into(), "bad"),
        AuditAction::PasskeyRefused => (with("Passkey refused"), "bad"),
        AuditAction::PasskeyCopied => (with("Passkey refused because there may be a copy of it"), "bad"),
        AuditAction::AppEntered => (with("Opened an app"), "plain"),
        AuditAction::AppLeft => (with("Left an app"), "plain"),
        AuditAction::AppRefused => (with("Access to an app was refused"), "bad"),
        AuditAction::Exported => ("Account data downloaded".into(), "warn"),
        AuditAction::DeletionRequested => ("Account deletion requested".into(), "bad"),
        AuditAction::DeletionCancelled => ("Account deletion cancelled by logging in".into(), "good"),
        AuditAction::Deleted => ("Account deleted".into(), "plain"),
        AuditAction::SetUp => ("Became the first administrator".into(), "good"),
        AuditAction::PasswordAccepted => ("Password accepted, waiting for the second step".into(), "plain"),
        AuditAction::SecondFactorRefused if EventDetail::read(detail).is_some() => {
            (with("Second step refused"), "bad")
        }
        AuditAction::SecondFactorRefused => (with("Wrong code at the second step"), "bad"),
        AuditAction::TotpAdded => ("Authenticator app added".into(), "good"),
        AuditAction::TotpRemoved => ("Authenticator app removed".into(), "warn"),
        AuditAction::TotpLocked => ("Authenticator app locked after too many wrong codes".into(), "bad"),
        AuditAction::RecoveryCodesMade => ("New recovery codes created".into(), "warn"),
        AuditAction::RecoveryCodeUsed => (with("Recovery code used"), "warn"),
        AuditAction::FactorDisowned => (
            "Changes to the ways to log in were undone with a mailed link. Every session was ended".into(),
            "warn",
        ),
        AuditAction::FactorsReset => ("Second factors removed".into(), "bad"),
        AuditAction::AppAdded => (with("App added"), "warn"),
        AuditAction::AppChanged => (with("App changed"), "warn"),
        AuditAction::AppRemoved => (with("App removed"), "warn"),
        AuditAction::AppsApplied => (with("A file of apps was applied"), "warn"),
        AuditAction::GroupAdded => (with("Group added"), "plain"),
        AuditAction::GroupChanged => (with("Group changed"), "plain"),
        AuditAction::GroupRemoved => (with("Group removed"), "warn"),
        AuditAction::GroupJoined => (with("Joined a group"), "warn"),
        AuditAction::GroupLeft => (with("Left a group"), "warn"),
        AuditAction::TokenCreated => (with("Token created"), "warn"),
        AuditAction::TokenRevoked => (with("Token revoked"), "warn"),
    }
}

/// A sentence about an event, with the access token that the actor used.
pub fn with_token(text: String, event: &AuditEvent) -> String {
    match &event.token {
        Some(token) => format!("{text}, with the token {}", isolated(&token.name)),
        None => text,
    }
}

/// What changed, with the values before and after as far as the event tells. Older events hold the new value alone, or
/// nothing.
fn changed(what: &str, event: &AuditEvent) -> String {
    match (event.change(), &*event.detail) {
        (Some(change), _) => format!("{what} from {} to {}", isolated(&change.from), isolated(&change.to)),
        (None, "") => what.to_owned(),
        (None, detail) => format!("{what} to {}", isolated(detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Agent;

    fn event(action: AuditAction, detail: &str) -> AuditEvent {
        AuditEvent {
            at: time::OffsetDateTime::UNIX_EPOCH,
            action: Some(action),
            actor: None,
            actor_name: None,
            subject: None,
            subject_name: None,
            address: String::new(),
            agent: Agent::Operator,
            token: None,
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn old_and_new_events_say_which_session_was_ended() {
        let new = r#"{"device":"Firefox on Linux","began":"2026-05-01T09:30:00Z"}"#;
        assert_eq!(ended_session(new), "The session on Firefox on Linux that began 1 May 2026, 09:30 UTC");
        assert_eq!(ended_session(""), "A session");
        for (detail, said) in [
            ("1 others", "1 other session was ended"),
            ("3 others", "3 other sessions were ended"),
            ("1", "1 session was ended"),
            ("0", "0 sessions were ended"),
            ("7 of everybody", "The sessions of all users were ended: 7"),
            ("", "Sessions were ended"),
            (r#"{"ended":1,"whose":"user-others"}"#, "1 other session was ended"),
            (r#"{"ended":3,"whose":"user"}"#, "3 sessions were ended"),
            (r#"{"ended":7,"whose":"everyone"}"#, "The sessions of all users were ended: 7"),
        ] {
            assert_eq!(ended_sessions(detail), said);
        }
    }

    #[test]
    fn old_and_new_events_say_what_was_refused_or_used() {
        let passkey = r#"{"passkey":"My phone","reason":"user-not-verified"}"#;
        for (action, detail, said) in [
            (AuditAction::LogInRefused, "an unknown passkey", "Log-in refused: an unknown passkey"),
            (AuditAction::LogInRefused, r#"{"reason":"unknown-passkey"}"#, "Log-in refused: unknown passkey"),
            (
                AuditAction::PasskeyRefused,
                passkey,
                "Passkey refused: My phone, the device didn't check who used it",
            ),
            (AuditAction::PasskeyAdded, r#"{"passkey":"My phone"}"#, "Passkey added: My phone"),
            (AuditAction::PasskeyAdded, "My phone", "Passkey added: My phone"),
            (AuditAction::SecondFactorRefused, "", "Wrong code at the second step"),
            (
                AuditAction::SecondFactorRefused,
                "it was used already",
                "Wrong code at the second step: it was used already",
            ),
            (
                AuditAction::SecondFactorRefused,
                r#"{"reason":"code-reused"}"#,
                "Second step refused: the code had been used",
            ),
            (AuditAction::PasskeyRenamed, "A, now B", "Passkey renamed: A, now B"),
            (AuditAction::PasskeyRenamed, r#"{"from":"A","to":"B"}"#, "Passkey renamed from A to B"),
            (AuditAction::RecoveryCodeUsed, "9 left", "Recovery code used: 9 left"),
            (AuditAction::RecoveryCodeUsed, r#"{"codes_left":9}"#, "Recovery code used, 9 left"),
            (
                AuditAction::TokenCreated,
                r#"{"token":"Backup","token_id":"00000000-0000-0000-0000-000000000000","scopes":["me","users:read"],"expires":"2026-05-01T09:30:00Z"}"#,
                "Token created: Backup (me, users:read)",
            ),
            // A newer version may record another reason.
            (AuditAction::LogInRefused, r#"{"reason":"new"}"#, "Log-in refused: {\"reason\":\"new\"}"),
        ] {
            assert_eq!(sentence(&event(action, detail)).0, said);
        }
    }

    #[test]
    fn old_and_new_events_say_what_changed() {
        for (detail, said) in [
            (r#"{"from":"member","to":"admin"}"#, "Role changed from member to admin"),
            ("admin", "Role changed to admin"),
            ("", "Role changed"),
        ] {
            assert_eq!(sentence(&event(AuditAction::RoleChanged, detail)).0, said);
        }
        assert_eq!(sentence(&event(AuditAction::NameChanged, "")).0, "Name changed");
    }
}
