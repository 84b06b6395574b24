//! A lock file that the kernel releases even after kill -9.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::LocalError;

pub struct Lock(File);

impl Lock {
    pub fn exclusive(path: &Path) -> Result<Self, LocalError> {
        let file = open(path)?;
        file.lock().map_err(LocalError::io("lock", path))?;
        Ok(Lock(file))
    }

    pub fn shared(path: &Path) -> Result<Self, LocalError> {
        let file = open(path)?;
        file.lock_shared().map_err(LocalError::io("lock", path))?;
        Ok(Lock(file))
    }

    /// `None` if another process holds it.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, LocalError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(LocalError::io("lock", path)(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just forked still holds the file.
        let _ = self.0.unlock();
    }
}

fn open(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(LocalError::io("open", path))
}
