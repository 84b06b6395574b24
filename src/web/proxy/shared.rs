//! What the workers of a process share: the resolver, the certificates, and how many requests and connections there
//! are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::resolver::Resolver;
use super::tls::TlsConnectors;
use crate::apps::AppId;
use crate::config::{AppDefaults, UpstreamLimits};

/// One of this many websockets is left to other apps.
const TUNNELS_OF_OTHERS: usize = 8;

pub struct TransportShared {
    pub(super) resolver: Resolver,
    pub(super) tls: TlsConnectors,
    /// Connections to upstreams for requests, idle ones included.
    connections: Arc<LiveCount>,
    /// Open websockets. Each has a connection to its upstream too.
    tunnels: Arc<LiveCount>,
    /// The sum of the two.
    sockets: Arc<LiveCount>,
    by_app: Mutex<HashMap<AppId, AppCounts>>,
    most: UpstreamLimits,
}

/// The counters of one app.
#[derive(Clone, Default)]
struct AppCounts {
    requests: Arc<LiveCount>,
    tunnels: Arc<LiveCount>,
}

/// Counts the live values of one kind.
#[derive(Default)]
pub struct LiveCount(AtomicUsize);

/// One counted value, until it is dropped.
pub struct Counted(Arc<LiveCount>);

/// A connection to an upstream: one of its kind, and one of all.
pub struct UpstreamSlot {
    _of_kind: Counted,
    _of_all: Counted,
}

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
    /// * `most`: connections to upstreams that this process may have.
    pub fn new(most: UpstreamLimits) -> Arc<Self> {
        Arc::new(Self {
            resolver: Resolver::default(),
            tls: TlsConnectors::default(),
            connections: Arc::default(),
            tunnels: Arc::default(),
            sockets: Arc::default(),
            by_app: Mutex::default(),
            most,
        })
    }

    /// The counter of an app's requests.
    pub(super) fn requests_of(&self, app: AppId) -> Arc<LiveCount> {
        self.counts_of(app).requests
    }

    fn counts_of(&self, app: AppId) -> AppCounts {
        let mut counts = self.by_app.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(app).or_default().clone()
    }

    /// `None` if the limit of connections is reached.
    pub(super) fn count_connection(&self) -> Option<UpstreamSlot> {
        self.slot(&self.connections, self.most.requests)
    }

    /// Counts a websocket of an app, and its connection. `None` if a limit is reached: one app leaves some to the
    /// others.
    pub(super) fn count_tunnel(&self, app: AppId) -> Option<(Counted, UpstreamSlot)> {
        let of_one_app = self.most.tunnels - self.most.tunnels / TUNNELS_OF_OTHERS;
        let of_app = self.counts_of(app).tunnels.count(of_one_app.min(AppDefaults::MAX_TUNNELS))?;
        Some((of_app, self.slot(&self.tunnels, self.most.tunnels)?))
    }

    fn slot(&self, kind: &Arc<LiveCount>, most: usize) -> Option<UpstreamSlot> {
        Some(UpstreamSlot { _of_kind: kind.count(most)?, _of_all: self.sockets.count(self.most.sockets)? })
    }

    /// Connections for requests that can exist beside the open websockets.
    fn most_connections(&self) -> usize {
        self.most.requests.min(self.most.sockets.saturating_sub(self.tunnels.get()))
    }

    /// Whether so many connections exist that idle ones should make room for other workers and apps.
    pub(super) fn is_scarce(&self) -> bool {
        self.connections.get() > self.most_connections() / 2
    }

    /// Whether an app with this many requests may open another connection: where connections are scarce, one app does
    /// not take those of the others.
    pub(super) fn has_share(&self, requests: usize) -> bool {
        !self.is_scarce() || requests <= self.most_connections() / 4 + 1
    }

    /// Connections to upstreams for requests at this moment.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    /// Open websockets at this moment.
    pub fn tunnels(&self) -> usize {
        self.tunnels.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_app_does_not_take_the_connections_of_all() {
        let shared = TransportShared::new(UpstreamLimits { sockets: 100, requests: 100, tunnels: 75 });
        let mut of_one = Vec::new();
        while shared.has_share(of_one.len() + 1) {
            of_one.extend(shared.count_connection());
        }
        assert_eq!(of_one.len(), 51);
        let mut of_another = Vec::new();
        while shared.has_share(of_another.len() + 1) {
            of_another.extend(shared.count_connection());
        }
        assert_eq!(of_another.len(), 26);
        assert!(shared.has_share(1) && shared.count_connection().is_some(), "a third app is served");
    }

    #[test]
    fn websockets_of_one_app_leave_room_for_those_of_others_and_for_requests() {
        let shared = TransportShared::new(UpstreamLimits { sockets: 100, requests: 100, tunnels: 80 });
        let count_all = |app| std::iter::from_fn(|| shared.count_tunnel(app)).collect::<Vec<_>>();
        let [one, another] = [1, 2].map(|id| AppId(uuid::Uuid::from_u128(id)));
        let of_one = count_all(one);
        assert_eq!(of_one.len(), 70);
        let of_another = count_all(another);
        assert_eq!((of_another.len(), shared.tunnels()), (10, 80));
        let connections: Vec<_> = std::iter::from_fn(|| shared.count_connection()).collect();
        assert_eq!(connections.len(), 20);
        drop((of_one, connections));
        assert!(shared.count_tunnel(another).is_some() && shared.count_connection().is_some());
    }
}
