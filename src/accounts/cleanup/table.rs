//! The model as the table of docs/security.md.

use std::fmt::Write as _;

use super::{Cleanup, Fate, Trace, fate};

/// Reasons are numbered in the order in which the table first needs them.
fn number(reasons: &mut Vec<&'static str>, why: &'static str) -> usize {
    let at = reasons.iter().position(|known| *known == why).unwrap_or_else(|| {
        reasons.push(why);
        reasons.len() - 1
    });
    at + 1
}

/// The table in Markdown: a row for each trace, a column for each clean-up, then the reasons.
pub fn table() -> String {
    let mut reasons = Vec::new();
    let names: Vec<&str> = Cleanup::ALL.iter().map(|cleanup| cleanup.name()).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for trace in Trace::ALL {
        let cells = Cleanup::ALL.iter().map(|cleanup| {
            let fate = fate(*cleanup, *trace);
            let number = number(&mut reasons, fate.why());
            match fate {
                Fate::Goes(_) => format!("goes ({number})"),
                Fate::Rests(_) => format!("*rests* ({number})"),
                Fate::Stays(_) => format!("**stays** ({number})"),
            }
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "| {} | {} |", trace.name(), cells.join(" | "));
    }
    text.push('\n');
    for (at, why) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {why}", at + 1);
    }
    text.push_str("\nCommands that do the same: ");
    let commands = Cleanup::ALL.iter().filter_map(|cleanup| {
        let command = cleanup.command()?.replace(", ", "`, `latchkey ");
        Some(format!("{} (`latchkey {command}`)", cleanup.name()))
    });
    text.push_str(&commands.collect::<Vec<_>>().join(", "));
    text.push_str(".\n");
    text
}
