//! `latchkey user import`: users from another system, with their password hashes (docs/moving-in.md).

mod refusals;
mod report;
mod rows;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::accounts::Accounts;
use crate::identity::EmailKey;
use crate::registration::ImportedUser;
use refusals::reason;
use report::{ImportReport, Progress};
use rows::{FileError, Rows};

/// Rows per transaction: a crash loses at most this many, and a second run imports them.
const BATCH: usize = 500;

#[derive(Args)]
pub struct Import {
    /// `.csv` with a header, or `.jsonl` with one object per line: email, name, password_hash, role, created_at.
    file: PathBuf,
    /// Report what would happen, and import nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON, one object per line, the totals last.
    #[arg(long)]
    json: bool,
    /// Import rows whose role is admin.
    #[arg(long)]
    allow_admins: bool,
    /// Exit with 1 if any row was refused. Without it, the command fails only if all rows were refused.
    #[arg(long)]
    strict: bool,
}

pub async fn run(accounts: &Accounts, import: &Import) -> Result<(), Failure> {
    let path = &import.file;
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = File::open(path).map_err(|error| named(&error))?;
    let progress = Progress::of(file.metadata().map_err(|error| named(&error))?.len());
    let input = BufReader::with_capacity(64 * 1024, file);
    let mut rows = open(path, input).map_err(|why| named(&why))?;

    let mut report = ImportReport::new(import.json, import.dry_run);
    let mut batch: Vec<(u64, ImportedUser)> = Vec::with_capacity(BATCH);
    let mut last = 0;
    while let Some((line, row)) = rows.next().map_err(|error| named(&error))? {
        last = line;
        let parsed = row.and_then(|row| ImportedUser::parse(&row, import.allow_admins).map_err(reason));
        match parsed {
            Ok(imported) => batch.push((line, imported)),
            Err(reason) => report.refuse(line, &reason),
        }
        if batch.len() == BATCH {
            import_batch(accounts, import, &mut batch, &mut report)
                .await
                .map_err(|fault| stopped(line, &fault))?;
            progress.at(rows.bytes(), report.imported + report.existing + report.refused);
        }
    }
    import_batch(accounts, import, &mut batch, &mut report).await.map_err(|fault| stopped(last, &fault))?;
    drop(progress);
    report.print_totals();
    let is_partial = report.imported + report.existing > 0;
    match report.refused {
        0 => Ok(()),
        _ if is_partial && !import.strict => Ok(()),
        1 => Err("1 row was refused: the report says why".into()),
        many => Err(format!("{many} rows were refused: the report says why").into()),
    }
}

fn open<R: BufRead>(path: &Path, input: R) -> Result<Rows<R>, String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Rows::csv(input).map_err(|why| match why {
            FileError::Io(error) => error.to_string(),
            FileError::Header(why) => why,
        }),
        Some("jsonl") => Ok(Rows::jsonl(input)),
        _ => Err("the file name ends neither in .csv nor in .jsonl".into()),
    }
}

/// Imports a batch and empties it.
async fn import_batch(
    accounts: &Accounts,
    import: &Import,
    batch: &mut Vec<(u64, ImportedUser)>,
    report: &mut ImportReport,
) -> Result<(), crate::db::Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let reported: Vec<(u64, EmailKey, bool)> = batch
        .iter()
        .map(|(line, imported)| (*line, imported.key().clone(), imported.has_password()))
        .collect();
    let imported_users = batch.drain(..).map(|(_, imported)| imported).collect();
    let new = accounts.registration.import(imported_users, import.dry_run).await?;
    for ((line, key, has_password), new) in reported.into_iter().zip(new) {
        report.record(line, key.as_str(), has_password, new);
    }
    Ok(())
}

fn stopped(line: u64, fault: &crate::db::Fault) -> String {
    format!(
        "stopped before line {line} was imported: {fault}; imported users remain, run the command again for the rest"
    )
}
