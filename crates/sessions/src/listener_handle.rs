//! The interface of the invalidation listener for the store.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Principal;

pub(crate) enum ListenerCommand {
    /// Answered when every instance has processed everything that was committed before; dropped if that cannot be
    /// determined.
    Sync(oneshot::Sender<()>),
    Announce(Vec<Principal>),
    Stop,
}

/// Sends commands to the listener, if there is one.
#[derive(Default)]
pub(crate) struct ListenerHandle(Mutex<Option<Sender<ListenerCommand>>>);

impl ListenerHandle {
    pub(super) fn set(&self, commands: Sender<ListenerCommand>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
    }

    /// Whether there is a listener that accepts the command.
    pub(crate) fn send(&self, command: ListenerCommand) -> bool {
        let commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }
}
