//! What a password hash costs: Argon2id with production parameters, without a server.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use futures_util::future::join_all;
use latchkey::passwords::{Hasher, Password, PasswordHash};

use super::environment::{PASSWORD, PRODUCTION};
use super::report::Report;

/// The most expensive hash of each kind that an import accepts (docs/moving-in.md), of another password.
const COSTLIEST: [(&str, &str); 5] = [
    ("bcrypt, cost 12", "$2b$12$yg6qd2J5YKpN4ulo14FAFuoBVTA0x65j4xMMV2movD4uQgdKZrRe2"),
    ("PBKDF2-SHA256, 1.5 million", "pbkdf2_sha256$1500000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    (
        "PBKDF2-SHA512, 600,000",
        "$pbkdf2-sha512$600000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
    (
        "Argon2id, 128 MiB, 2 passes",
        "$argon2id$v=16$m=131072,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
    ("scrypt, 128 MiB", "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
];

const SLICE: Duration = Duration::from_secs(2);

pub fn measure(report: &mut Report) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    System::new().block_on(async {
        let hasher = Hasher::new(PRODUCTION, cores, 64).unwrap();
        let stored = hasher.hash(Password::given(PASSWORD).unwrap()).await.unwrap();
        for _ in 0..report.rounds() {
            let one = verifications(&hasher, &stored, 1).await;
            report.note("Argon2id 19 MiB, 2 passes: one password", "ms", 1000.0 / one);
            let all = verifications(&hasher, &stored, cores).await;
            report.note(&format!("passwords checked on {cores} cores"), "a second", all);
            for (name, hash) in COSTLIEST {
                let hash = PasswordHash::stored(hash);
                let begun = Instant::now();
                hasher.verify(Password::given(PASSWORD), Some(&hash)).await.unwrap();
                report.note(&format!("imported {name}"), "ms", begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
    });
}

/// Verifications per second by `concurrency` callers.
pub async fn verifications(hasher: &Hasher, stored: &PasswordHash, concurrency: usize) -> f64 {
    let begun = Instant::now();
    let callers = (0..concurrency).map(async |_| {
        let mut done = 0;
        while begun.elapsed() < SLICE {
            let verdict = hasher.verify(Password::given(PASSWORD), Some(stored)).await.unwrap();
            assert!(verdict.matches);
            done += 1;
        }
        done
    });
    let done: u32 = join_all(callers).await.into_iter().sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}
