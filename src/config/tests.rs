//! What the settings accept and refuse.

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Result<Settings, Misconfigured> {
    Settings::from_environment(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
}

const DEPLOYED: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://u:hunter2@db/latchkey"),
    ("LATCHKEY__SECRET", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
];

fn refusal(pairs: &[(&str, &str)]) -> String {
    settings(pairs).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_deployed_server_needs_secret_and_public_url() {
    let settings = settings(&DEPLOYED).unwrap();
    assert!(!settings.is_local());
    assert_eq!(settings.server.bind.to_string(), "0.0.0.0");
    assert!(refusal(&DEPLOYED[..1]).contains("PUBLIC_URL"));
    assert!(refusal(&[DEPLOYED[0], DEPLOYED[2]]).contains("LATCHKEY__SECRET is missing"));
    assert!(refusal(&[DEPLOYED[0], DEPLOYED[2], ("LATCHKEY__SECRET", "short")]).contains("too short"));
}

#[test]
fn unknown_keys_are_errors() {
    let mut pairs = DEPLOYED.to_vec();
    pairs.push(("LATCHKEY__SERVER__PUBLIC_ULR", "x"));
    assert!(refusal(&pairs).contains("public_ulr"));
}

#[test]
fn port_wins_over_the_file_and_must_be_a_number() {
    let mut pairs = DEPLOYED.to_vec();
    pairs.push(("LATCHKEY__SERVER__PORT", "9000"));
    assert_eq!(settings(&pairs).unwrap().server.port, 9000);
    pairs.push(("PORT", "7000"));
    assert_eq!(settings(&pairs).unwrap().server.port, 7000);
    pairs.push(("PORT", "http"));
    assert!(refusal(&pairs).contains("PORT"));
}

#[test]
fn nothing_secret_is_shown() {
    let mut pairs = DEPLOYED.to_vec();
    pairs.push(("LATCHKEY__MAIL__SMTP_URL", "smtps://me:letmein@mail.example.org"));
    let shown = serde_json::to_string(&settings(&pairs).unwrap()).unwrap();
    for secret in ["hunter2", "letmein", "0123456789abcdef"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn the_mailbox_is_for_local_mode_alone() {
    let mut pairs = DEPLOYED.to_vec();
    pairs.push(("LATCHKEY__MAIL__TRANSPORT", "mailbox"));
    assert!(refusal(&pairs).contains("local mode only"));
}
