//! `latchkey migrate`.

use super::{Failure, connect};
use crate::config::Settings;

pub fn run(settings: &Settings) -> Result<(), Failure> {
    let (_reached, applied) = connect::migrated(settings)?;
    match applied.as_slice() {
        [] => print_line!("The schema is up to date."),
        applied => print_line!("Applied {}.", applied.join(", ")),
    }
    Ok(())
}
