//! Hands the command line to [`latchkey::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    latchkey::cli::run()
}
