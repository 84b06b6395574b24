//! `latchkey migrate`.

use super::{Failure, reach};
use crate::config::Settings;
use crate::db::migrations;

pub fn run(settings: &Settings) -> Result<(), Failure> {
    let reached = reach::database(settings)?;
    let applied = migrations::run(&reached.direct)?;
    match applied.as_slice() {
        [] => say!("The schema is up to date."),
        applied => say!("Applied {}.", applied.join(", ")),
    }
    Ok(())
}
