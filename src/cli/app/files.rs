//! `latchkey app apply` and `latchkey app export`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::accounts::Accounts;
use crate::apps::{AppRefusal, Applied, ApplyOptions, AppsFile, DifferenceKind, FileRefusal};
use crate::cli::Failure;
use crate::db::Failed;
use crate::identity::Client;
use crate::web::copy::app_file::{app_refusal, file_refusal};

pub async fn apply(accounts: &Accounts, path: &Path, dry_run: bool, prune: bool) -> Result<(), Failure> {
    let file = read(path)?;
    let options = ApplyOptions { dry_run, prune };
    let applied =
        accounts.apps.apply(file, options, Client::operator()).await.map_err(|failed| match failed {
            Failed::Refused(why) => refused(path, &why),
            Failed::Fault(fault) => fault.into(),
        })?;
    for line in lines(&applied) {
        print_line!("{line}");
    }
    match (applied.is_empty(), dry_run) {
        (true, _) => print_line!("Nothing to change."),
        (false, true) => print_line!("Nothing was changed: this was a dry run."),
        (false, false) => print_line!("Applied {}.", path.display()),
    }
    Ok(())
}

/// Reads a file of apps.
pub fn read(path: &Path) -> Result<AppsFile, Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    AppsFile::parse(&text).map_err(|why| refused(path, &why))
}

/// Why a file is refused, in one line.
pub fn refused(path: &Path, why: &FileRefusal) -> Failure {
    format!("{}: {}", path.display(), file_refusal(why)).into()
}

/// The changes that a file makes, one line for each app and field.
pub fn lines(applied: &Applied) -> Vec<String> {
    let mut lines: Vec<String> = applied.groups.iter().map(|group| format!("+ group {group}")).collect();
    for difference in &applied.apps {
        let sign = match difference.kind {
            DifferenceKind::Added => '+',
            DifferenceKind::Changed => '~',
            DifferenceKind::Removed => '-',
        };
        lines.push(format!("{sign} app {}", difference.change.app));
        if difference.kind == DifferenceKind::Removed {
            continue;
        }
        for change in difference.change.changes.iter().filter(|change| change.field != "slug") {
            lines.push(match (&change.from, &change.to) {
                (Value::Null, to) => format!("    {}: {to}", change.field),
                (from, to) => format!("    {}: {from} -> {to}", change.field),
            });
        }
    }
    lines
}

pub async fn export(accounts: &Accounts, as_json: bool) -> Result<(), Failure> {
    let file = accounts.apps.export().await?;
    for app in accounts.apps.stored().await?.unreadable {
        let why = app_refusal(&AppRefusal::Unreadable { column: app.column });
        eprintln!("latchkey: warning: {} is not in the file: {why}", app.slug);
    }
    match as_json {
        true => print_line!("{}", serde_json::to_string(&file)?),
        false => print_line!("{}", file.to_toml().trim_end()),
    }
    Ok(())
}
