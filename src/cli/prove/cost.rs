//! `latchkey prove cost`: the table of `/compare`, on the command line.

use actix_web::rt::System;

use crate::cli::{Failure, reach};
use crate::config::Settings;
use crate::lab::{Cost, Lab, Writes};

pub fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let (accounts, _reached) = reach::accounts(settings)?;
    let lab = Lab::new(accounts.db().clone(), settings.secret.clone());
    let cost = System::new().block_on(lab.weigh())?;
    if json {
        say!("{}", serde_json::to_string(&cost)?);
        return Ok(());
    }
    print(&cost)
}

fn print(cost: &Cost) -> Result<(), Failure> {
    say!("{:<30} {:>6} {:>11}  {}", "a check", "bytes", "median", "to scale out, each server needs");
    for check in &cost.checks {
        say!("{:<30} {:>6} {:>8.1} µs  {}", check.way, check.bytes, check.microseconds, check.to_scale_out);
    }
    say!("");
    say!("{:<30} {:>9} {:>9} {:>21}", "rows written", "session", "token", "token with deny-list");
    for deed in &cost.deeds {
        let [session, token, listed] = [deed.session, deed.token, deed.token_with_deny_list].map(rows);
        say!("{:<30} {:>9} {:>9} {:>21}", deed.deed, session, token, listed);
    }
    say!("");
    say!("Medians of {} interleaved rounds, in {} ms.", cost.rounds, cost.took.as_millis());
    Ok(())
}

fn rows(writes: Option<Writes>) -> String {
    writes.map_or_else(|| "-".into(), |writes| writes.rows().to_string())
}
