//! What a password costs: Argon2id at the parameters of production, without a server around it.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use futures_util::future::join_all;
use latchkey::accounts::hasher::Hasher;
use latchkey::accounts::password::{Password, PasswordHash};

use super::place::{PASSWORD, PRODUCTION};
use super::report::Report;

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
        }
    });
}

/// A second, by `at_once` callers.
pub async fn verifications(hasher: &Hasher, stored: &PasswordHash, at_once: usize) -> f64 {
    let begun = Instant::now();
    let callers = (0..at_once).map(async |_| {
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
