//! Whether the response time reveals if an address has an account: the same form for known, unknown, disabled and locked
//! users in turn, so that other load on the machine affects all alike. The result is the largest difference between two
//! medians, as a share of one password hash.

use std::time::Instant;

use actix_web::rt::System;
use latchkey::passwords::{Hasher, Password};

use super::environment::{Environment, Form, PASSWORD, PRODUCTION, client};
use super::hash::verifications;
use super::report::{Report, percentile};

/// Samples of each kind in a round.
const SAMPLES: usize = 40;

const KINDS: [&str; 4] = ["known", "unknown", "disabled", "locked"];

/// No throttling, so that only the work for an answer is measured. Mail goes to a closed port.
const SETTINGS: [(&str, &str); 9] = [
    ("LATCHKEY__THROTTLE__FIRST_WAIT", "0s"),
    ("LATCHKEY__THROTTLE__LONGEST_WAIT", "0s"),
    ("LATCHKEY__THROTTLE__ACCOUNT_FREE", "1000000"),
    ("LATCHKEY__THROTTLE__ADDRESS_FREE", "1000000"),
    ("LATCHKEY__THROTTLE__ASKS_PER_HOUR", "1000000"),
    ("LATCHKEY__THROTTLE__MAILS_PER_HOUR", "1000000"),
    ("LATCHKEY__THROTTLE__DISABLE_AT", "1000000"),
    ("LATCHKEY__MAIL__TRANSPORT", "smtp"),
    ("LATCHKEY__MAIL__SMTP_URL", "smtp://127.0.0.1:1"),
];

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    let served = environment.serve_with(None, &SETTINGS);
    System::new().block_on(async {
        for kind in ["known", "disabled", "locked"] {
            environment.create_user(&address(kind, 0)).await;
        }
        environment.execute(
            "UPDATE users SET disabled_at = now() WHERE email LIKE 'disabled%'; \
             INSERT INTO password_lanes SELECT id, 'outside', 1000000 FROM users WHERE email LIKE 'locked%'",
        );
        let client = client();
        served.log_in(&client, &address("known", 0)).await;
        let hasher = Hasher::new(PRODUCTION, 1, 64).unwrap();
        let stored = hasher.hash(Password::given(PASSWORD).unwrap()).await.unwrap();
        let hash = 1000.0 / verifications(&hasher, &stored, 1).await;
        let mut worst = 0.0_f64;
        for form in ["/login", "/forgot-password", "/register"] {
            let opened = Form::open_at(&client, &served.origin, form).await;
            let mut samples: [Vec<f64>; 4] = Default::default();
            for round in 0..report.rounds() {
                let mut of_round: [Vec<f64>; 4] = Default::default();
                for sample in 0..SAMPLES {
                    for (kind, taken) in KINDS.iter().zip(&mut of_round) {
                        // A new address can be registered only once.
                        let number = if form == "/register" { 1 + round * SAMPLES + sample } else { 0 };
                        let email = address(kind, if *kind == "unknown" { number } else { 0 });
                        taken.push(answer(&opened, &client, form, kind, &email).await);
                    }
                }
                for ((kind, taken), all) in KINDS.iter().zip(of_round).zip(&mut samples) {
                    report.note(&format!("POST {form}, {kind}"), "ms", percentile(&taken, 0.5));
                    all.extend(taken);
                }
            }
            let medians = samples.map(|all| percentile(&all, 0.5));
            let (least, most) = (
                medians.iter().copied().fold(f64::MAX, f64::min),
                medians.iter().copied().fold(0.0, f64::max),
            );
            worst = worst.max((most - least) / hash);
        }
        report.value("enumeration_vs_hash", worst);
    });
}

fn address(kind: &str, number: usize) -> String {
    format!("{kind}{number}@example.org")
}

/// Milliseconds until the answer, which must be the same for every kind.
async fn answer(form: &Form, client: &reqwest::Client, path: &str, kind: &str, email: &str) -> f64 {
    // The right password, where it must not matter.
    let password = if kind == "known" { "not-the-password-at-all" } else { PASSWORD };
    let fields: &[(&str, &str)] = match path {
        "/login" => &[("email", email), ("password", password)],
        "/register" => &[("email", email), ("name", "Ada"), ("password", PASSWORD)],
        _ => &[("email", email)],
    };
    let begun = Instant::now();
    let answer = form.submit(client, fields).await;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(answer.status().as_u16(), if path == "/login" { 422 } else { 303 }, "{path} {kind}");
    took
}
