//! What the workers of a process share: the resolver, the certificates, and how many requests and connections there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::resolver::Resolver;
use super::tls::TlsConnectors;
use crate::apps::AppId;

pub struct TransportShared {
    pub(super) resolver: Resolver,
    pub(super) tls: TlsConnectors,
    /// Connections to upstreams, idle ones included.
    connections: Arc<LiveCount>,
    in_flight: Mutex<HashMap<AppId, Arc<LiveCount>>>,
    most_connections: usize,
}

/// Counts the things of one kind that exist.
#[derive(Default)]
pub struct LiveCount(AtomicUsize);

/// One of those that exist, until it is dropped.
pub struct Counted(Arc<LiveCount>);

impl LiveCount {
    /// `None` if there are `most` already.
    pub fn count(self: &Arc<Self>, most: usize) -> Option<Counted> {
        let more = |count| (count < most).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Counted(Arc::clone(self)))
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TransportShared {
    /// * `most_connections`: connections to upstreams that this process may have.
    pub fn new(most_connections: usize) -> Arc<Self> {
        Arc::new(Self {
            resolver: Resolver::default(),
            tls: TlsConnectors::default(),
            connections: Arc::default(),
            in_flight: Mutex::default(),
            most_connections,
        })
    }

    /// The counter of an app's requests.
    pub(super) fn requests_of(&self, app: AppId) -> Arc<LiveCount> {
        let mut counters = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counters.entry(app).or_default())
    }

    /// `None` if the limit of connections is reached.
    pub(super) fn count_connection(&self) -> Option<Counted> {
        self.connections.count(self.most_connections)
    }

    /// Whether so many connections exist that idle ones should make room for other workers and apps.
    pub(super) fn is_scarce(&self) -> bool {
        self.connections.get() > self.most_connections / 2
    }

    /// Connections to upstreams at this moment.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }
}
