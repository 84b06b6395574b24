//! A simulation: three instances of the real program over one Postgres, an app behind them, many browsers, and faults. Every request is
//! recorded, and a checker compares the history with the contract. `bin/soak` runs it for any length of time.

pub mod actors;
mod admins;
pub mod apps;
mod bad;
pub mod checker;
mod faults;
pub mod record;
pub mod rng;
pub mod simulation;
pub mod wire;

use std::time::Duration;

use simulation::Simulation;

/// Long enough for every kind of fault.
const SHORT: Duration = Duration::from_secs(12);

/// `bin/soak` sets the number of minutes.
#[actix_web::test]
async fn under_faults_no_ended_session_is_served_and_no_live_one_is_lost() {
    let minutes: Option<f64> = setting("SOAK_MINUTES");
    let long = minutes.map_or(SHORT, |minutes| Duration::from_secs_f64(minutes * 60.0));
    let summary = Simulation::new(seed()).await.live_for(long).await;
    println!("{summary}");
    assert!(summary.is_good());
    assert!(summary.faults() >= 4 && summary.activity.is_enough(), "too little happened");
}

pub fn seed() -> u64 {
    setting("SOAK_SEED").unwrap_or_else(|| {
        let bytes = latchkey::secret::random::<4>().expect("randomness");
        u64::from(u32::from_le_bytes(bytes))
    })
}

pub fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
