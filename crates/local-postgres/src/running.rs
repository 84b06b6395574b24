//! The running server of a cluster: found through its pid file, and stopped.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LocalError, socket};

/// How long a start, including recovery after a crash, or a stop, which writes everything to disk, may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends its connections, has it write everything to disk, and returns when its process has ended.
pub fn stop(cluster_dir: &Path) -> Result<(), LocalError> {
    let Some(running) = Postmaster::of(cluster_dir) else {
        return Ok(());
    };
    // SIGINT is PostgreSQL's "fast" shutdown.
    match kill(running.pid, Signal::SIGINT) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(LocalError::io("stop", cluster_dir)(error.into())),
    }
    let began = Instant::now();
    while works_in(running.pid, cluster_dir) {
        if began.elapsed() > PATIENCE {
            return Err(LocalError::NotStopping {
                cluster: cluster_dir.to_owned(),
                pid: running.pid.as_raw(),
            });
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

pub struct Postmaster {
    pid: Pid,
    pub socket_dir: PathBuf,
    ready: bool,
}

impl Postmaster {
    /// Also `None` if the pid file is a dead server's and its pid now belongs to another process.
    pub fn of(cluster_dir: &Path) -> Option<Self> {
        let content = fs::read(pid_file(cluster_dir)).ok()?;
        let lines: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
        let pid = pid_in(&content).filter(|&pid| works_in(pid, cluster_dir))?;
        // The server fills in lines five and eight of the file during its start.
        Some(Postmaster {
            pid,
            socket_dir: PathBuf::from(OsStr::from_bytes(lines.get(4).unwrap_or(&&b""[..]))),
            ready: lines.get(7).is_some_and(|status| status.starts_with(b"ready")),
        })
    }

    pub fn accepts_connections(&self) -> bool {
        self.ready && socket::answers(&self.socket_dir)
    }
}

/// Whether this process is a PostgreSQL server of this cluster. The pid alone proves nothing: after a crash or a reboot
/// it may belong to any process.
pub fn works_in(pid: Pid, cluster_dir: &Path) -> bool {
    if !cfg!(target_os = "linux") {
        return command_line_names(pid, cluster_dir);
    }
    // A server's working directory is its cluster. A process that has ended but was not reaped has no working
    // directory.
    let process = PathBuf::from(format!("/proc/{pid}"));
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == cluster_dir)
        && fs::read(process.join("cmdline")).is_ok_and(|command| contains(&command, b"postgres"))
}

fn command_line_names(pid: Pid, cluster_dir: &Path) -> bool {
    Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().is_ok_and(|output| {
        contains(&output.stdout, b"postgres") && contains(&output.stdout, cluster_dir.as_os_str().as_bytes())
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

pub fn pid_file(cluster_dir: &Path) -> PathBuf {
    cluster_dir.join("postmaster.pid")
}

/// The first line. PostgreSQL writes a negative pid in single-user mode; `kill` would send the signal to a whole
/// process group.
pub fn pid_in(lock_file: &[u8]) -> Option<Pid> {
    let line = lock_file.split(|&byte| byte == b'\n').next()?;
    let pid: i32 = str::from_utf8(line).ok()?.trim().parse().ok()?;
    pid.checked_abs().filter(|&pid| pid > 0).map(Pid::from_raw)
}
