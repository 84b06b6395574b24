//! Every email, as Latchkey writes it.

use latchkey::config::{Origin, Span};
use latchkey::identity::{Client, Email};
use latchkey::notices::{AddedFactor, Mail, MailedLink, Notice, RemovedFactor};
use latchkey::web::copy::mails;
use time::OffsetDateTime;
use time::macros::datetime;

const AT: OffsetDateTime = datetime!(2026-11-29 13:05 UTC);
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A name and the HTML of each.
pub fn every() -> Vec<(&'static str, String)> {
    let origin = Origin::parse("https://id.example.org").expect("an origin");
    let client = Client::of_request("203.0.113.7".parse().ok(), FIREFOX, None);
    let html = |mail: &Mail<'_>| mails::write(&origin, mail).expect("an email").body.html;
    let mut all = vec![
        ("verify-email", html(&Mail::VerifyEmail(link("/verify-email", Span::hours(24))))),
        ("already-registered", html(&Mail::AlreadyRegistered)),
        ("reset-password", html(&Mail::ResetPassword(link("/reset-password", Span::hours(1))))),
        ("confirm-email", html(&Mail::ConfirmEmail(link("/confirm-email", Span::hours(24))))),
        ("invitation", html(&Mail::Invitation(link("/register", Span::days(7))))),
    ];
    let new = Email::parse("countess@example.org").expect("an address");
    for (name, notice) in notices(&new) {
        all.push((name, html(&Mail::Notice { notice: &notice, at: AT, client: &client })));
    }
    all
}

fn notices(new: &Email) -> Vec<(&'static str, Notice<'_>)> {
    let undo = || link("/undo-factor", Span::days(7));
    let not_me = || link("/not-me", Span::days(7));
    let unlock = || link("/unlock", Span::hours(24));
    let until = datetime!(2026-12-13 13:05 UTC);
    let added = |factor| Notice::FactorAdded { factor, undo: undo() };
    vec![
        ("password-changed", Notice::PasswordChanged { not_me: not_me() }),
        ("password-reset", Notice::PasswordReset),
        ("email-changed", Notice::EmailChanged { new, undo: link("/undo-email", Span::days(7)) }),
        ("email-asked", Notice::EmailChangeAsked { new: "c…@example.org".to_owned(), not_me: not_me() }),
        ("email-wanted", Notice::EmailWanted),
        ("address-reserved", Notice::AddressReserved { until }),
        ("leaving", Notice::Leaving { until }),
        ("app-added", added(AddedFactor::AuthenticatorApp)),
        ("passkey-added", added(AddedFactor::Passkey)),
        ("passkey-required", added(AddedFactor::PasskeyRequired)),
        ("passkey-optional", added(AddedFactor::PasskeyOptional)),
        ("passkey-step", added(AddedFactor::PasskeyStep)),
        ("recovery-codes", added(AddedFactor::RecoveryCodes)),
        ("app-removed", Notice::FactorRemoved(RemovedFactor::AuthenticatorApp)),
        ("passkey-removed", Notice::FactorRemoved(RemovedFactor::Passkey)),
        ("factors-removed", Notice::FactorRemoved(RemovedFactor::EverySecondFactor)),
        ("passkey-step-off", Notice::PasskeyStepOff { undo: undo() }),
        ("app-locked", Notice::FactorLocked { failures: 10 }),
        ("passkey-copied", Notice::PasskeyCopied),
        ("last-code", Notice::RecoveryCodesLow { left: 0 }),
        ("few-codes", Notice::RecoveryCodesLow { left: 2 }),
        ("new-browser", Notice::NewDevice { not_me: not_me(), ended_oldest: Some(100) }),
        ("second-step-missing", Notice::SecondStepMissing { within: Span::minutes(10) }),
        ("guessing", Notice::RepeatedFailures { failures: 5, unlock: unlock() }),
        ("locked", Notice::PasswordLocked { failures: 50, unknown_browser: true, unlock: unlock() }),
        ("locked-browser", Notice::PasswordLocked { failures: 50, unknown_browser: false, unlock: unlock() }),
    ]
}

fn link(path: &str, valid_for: Span) -> MailedLink {
    let token = "qD7nqk0o8yq3mT1bJxW2s5vZfR4hLpYc9uGaEiNoKtU";
    MailedLink { url: format!("https://id.example.org{path}?token={token}"), valid_for }
}
