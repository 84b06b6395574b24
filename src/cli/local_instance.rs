//! Which instances of local mode run on a data directory, and at which address. Commands print links to that address,
//! regardless of `PORT` in their own environment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Origin, Settings};

const NAME: &str = "instance.";

/// Announces that this process serves, until it is dropped. If the process is killed, the kernel releases the lock.
pub struct LocalInstance {
    path: PathBuf,
    _locked: File,
}

impl LocalInstance {
    /// Writes the public address of this process into the data directory. `None` outside local mode, or if another
    /// process (perhaps in another container) has announced the same port.
    pub fn announce(settings: &Settings) -> io::Result<Option<Self>> {
        if !settings.is_local() {
            return Ok(None);
        }
        fs::create_dir_all(&settings.data_dir)?;
        let path = settings.data_dir.join(format!("{NAME}{}", settings.server.port));
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        file.set_len(0)?;
        file.write_all(settings.server.public.as_str().as_bytes())?;
        Ok(Some(Self { path, _locked: file }))
    }
}

impl Drop for LocalInstance {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The address for links that commands print: that of a running instance, preferably the one in the settings; without a
/// running instance, the one in the settings.
pub fn origin(settings: &Settings) -> Origin {
    let own = settings.server.public.clone();
    if !settings.is_local() {
        return own;
    }
    let running = running(&settings.data_dir);
    if running.contains(&own) {
        return own;
    }
    running.into_iter().next().unwrap_or(own)
}

/// The addresses of all running instances, in a fixed order.
fn running(data_dir: &Path) -> Vec<Origin> {
    let Ok(entries) = fs::read_dir(data_dir) else { return Vec::new() };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(NAME));
    let mut running: Vec<Origin> = named.filter_map(|entry| address_in(&entry.path())).collect();
    running.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    running
}

/// The address in the file of an instance; `None` if the instance does not run any more.
fn address_in(path: &Path) -> Option<Origin> {
    let file = File::open(path).ok()?;
    if file.try_lock_shared().is_ok() {
        let _ = file.unlock();
        return None;
    }
    Origin::parse(fs::read_to_string(path).ok()?.trim()).ok()
}
