//! Finds PostgreSQL's server programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LocalError;
use super::options::OLDEST_MAJOR;

/// Directories with one subdirectory per installed version: the parent, and the prefix of the names.
const VERSIONED_PLACES: [(&str, &str); 6] = [
    ("/usr/lib/postgresql", ""),         // Debian, Ubuntu
    ("/usr", "pgsql-"),                  // Fedora, Red Hat with PostgreSQL's repository
    ("/opt/homebrew/opt", "postgresql"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql"),    // Homebrew on Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

pub struct Binaries {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
    major: u32,
}

/// The first server that is new enough; `only` replaces the usual directories.
pub fn any(only: Option<&[PathBuf]>) -> Result<Binaries, LocalError> {
    candidates(only).next().ok_or(LocalError::NotInstalled)
}

/// The first server of exactly this version, because no other can open a cluster that it created.
pub fn of_major(major: u32, only: Option<&[PathBuf]>) -> Option<Binaries> {
    candidates(only).find(|found| found.major == major)
}

fn candidates(only: Option<&[PathBuf]>) -> impl Iterator<Item = Binaries> {
    only.map_or_else(usual_places, <[PathBuf]>::to_vec)
        .into_iter()
        .filter_map(|dir| inspect(&dir))
        .filter(|found| found.major >= OLDEST_MAJOR)
}

fn usual_places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    places.extend(output_of(Path::new("pg_config"), "--bindir").map(PathBuf::from));
    for (parent, prefix) in VERSIONED_PLACES {
        places.extend(newest_first(Path::new(parent), prefix));
    }
    places
}

fn newest_first(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches('@');
            Some((leading_number(version).unwrap_or(0), entry.path()))
        })
        .collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, dir)| dir.join("bin"))
}

/// Accepts a directory if it has both programs and the server reports its version.
fn inspect(dir: &Path) -> Option<Binaries> {
    let (initdb, postgres) = (dir.join("initdb"), dir.join("postgres"));
    if !initdb.is_file() || !postgres.is_file() {
        return None;
    }
    // "postgres (PostgreSQL) 17.2 (Debian 17.2-1)"
    let version = output_of(&postgres, "--version")?;
    let major = leading_number(version.split_whitespace().nth(2)?)?;
    Some(Binaries { initdb, postgres, major })
}

fn output_of(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}
