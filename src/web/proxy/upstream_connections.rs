//! The connections of one worker to the upstreams of all apps.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::time::sleep;

use super::connection::Connection;
use super::error::ProxyError;
use super::limits::SWEEP;
use super::pool::IdleConnections;
use super::shared::{Counted, LiveCount, TransportShared, UpstreamSlot};
use crate::apps::{App, AppId, Upstream};

pub struct UpstreamConnections {
    pub(super) shared: Arc<TransportShared>,
    apps: RefCell<HashMap<AppId, AppConnections>>,
    sweeping: Cell<bool>,
}

struct AppConnections {
    /// The app whose upstream the connections lead to.
    app: Arc<App>,
    idle: IdleConnections,
    requests: Arc<LiveCount>,
}

impl UpstreamConnections {
    pub fn new(shared: Arc<TransportShared>) -> Rc<Self> {
        Rc::new(Self { shared, apps: RefCell::default(), sweeping: Cell::new(false) })
    }

    /// Counts the app's requests, those of other workers included.
    pub fn requests_of(&self, app: &Arc<App>) -> Arc<LiveCount> {
        self.connections(app, |connections| Arc::clone(&connections.requests))
    }

    /// A connection that is idle and still open.
    pub fn take_idle(&self, app: &Arc<App>, repeatable: bool) -> Option<Connection> {
        loop {
            let now = Instant::now();
            let mut idle = self.connections(app, |connections| connections.idle.take(repeatable, now))?;
            if idle.is_usable() {
                return Some(idle);
            }
        }
    }

    pub async fn open(&self, app: &Arc<App>, upstream: &Upstream) -> Result<Connection, ProxyError> {
        if !self.shared.has_share(self.requests_of(app).get()) {
            return Err(ProxyError::TooManyConnections);
        }
        let count = || self.shared.count_connection();
        let counted = self.with_room(count).ok_or(ProxyError::TooManyConnections)?;
        Connection::open(upstream, &self.shared, counted, app.limits.connect).await
    }

    /// Counts a websocket of the app, and its connection to the upstream.
    pub fn count_tunnel(&self, app: &App) -> Result<(Counted, UpstreamSlot), ProxyError> {
        let count = || self.shared.count_tunnel(app.id);
        self.with_room(count).ok_or(ProxyError::TooManyTunnels)
    }

    /// Closes idle connections until `count` succeeds.
    fn with_room<R>(&self, count: impl Fn() -> Option<R>) -> Option<R> {
        loop {
            match count() {
                None if self.close_idle() => {}
                counted => return counted,
            }
        }
    }

    /// Keeps a connection for another request, unless the app has another upstream meanwhile or connections are scarce.
    pub fn keep(self: &Rc<Self>, app: &Arc<App>, connection: Connection, keep: Duration) {
        if self.shared.is_scarce() {
            return;
        }
        let mut apps = self.apps.borrow_mut();
        let connections = apps.entry(app.id).or_insert_with(|| self.new_connections(app));
        if Arc::ptr_eq(&connections.app, app) || connections.app.upstream == app.upstream {
            connections.idle.put(connection, keep, Instant::now());
            if !self.sweeping.replace(true) {
                self.start_sweeping();
            }
        }
    }

    fn new_connections(&self, app: &Arc<App>) -> AppConnections {
        let requests = self.shared.requests_of(app.id);
        AppConnections { app: Arc::clone(app), idle: IdleConnections::default(), requests }
    }

    fn connections<R>(&self, app: &Arc<App>, then: impl FnOnce(&mut AppConnections) -> R) -> R {
        let mut apps = self.apps.borrow_mut();
        let connections = apps.entry(app.id).or_insert_with(|| self.new_connections(app));
        if !Arc::ptr_eq(&connections.app, app) {
            if connections.app.upstream != app.upstream {
                connections.idle = IdleConnections::default();
            }
            connections.app = Arc::clone(app);
        }
        then(connections)
    }

    /// Closes an idle connection of any app. False if there is none.
    fn close_idle(&self) -> bool {
        self.apps.borrow_mut().values_mut().any(|connections| connections.idle.close_one())
    }

    /// Closes connections that are idle for too long, until none is left.
    fn start_sweeping(self: &Rc<Self>) {
        let transport = Rc::downgrade(self);
        spawn(async move {
            loop {
                sleep(SWEEP).await;
                let Some(transport) = transport.upgrade() else { return };
                let now = Instant::now();
                let mut apps = transport.apps.borrow_mut();
                apps.values_mut().for_each(|connections| connections.idle.sweep(now));
                // Otherwise the connections of removed apps would stay open.
                apps.retain(|_, connections| !connections.idle.is_empty());
                if apps.is_empty() {
                    transport.sweeping.set(false);
                    return;
                }
            }
        });
    }
}
