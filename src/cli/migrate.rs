//! `latchkey migrate`.

use super::{Failure, reach};
use crate::config::Settings;

pub fn run(settings: &Settings) -> Result<(), Failure> {
    let (_reached, applied) = reach::migrated(settings)?;
    match applied.as_slice() {
        [] => say!("The schema is up to date."),
        applied => say!("Applied {}.", applied.join(", ")),
    }
    Ok(())
}
