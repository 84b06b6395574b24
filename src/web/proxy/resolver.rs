//! Resolves the names of upstreams in its own threads, so that a resolver that does not answer cannot take the threads
//! that log-ins need.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::limits::{RESOLVED_FOR, RESOLVERS, STALE_FOR, UNRESOLVED, UNRESOLVED_FOR};

/// The addresses of a name, or why there are none.
pub type Resolved = Result<Arc<[IpAddr]>, Arc<str>>;

#[derive(Clone, Default)]
pub struct Resolver(Arc<Mutex<Lookups>>);

#[derive(Default)]
struct Lookups {
    known: HashMap<String, Known>,
    /// The requests that wait for a name.
    waiting: HashMap<String, Vec<oneshot::Sender<Resolved>>>,
    queue: VecDeque<String>,
    threads: usize,
}

struct Known {
    /// When these addresses were found.
    since: Instant,
    /// When they were last looked for.
    tried: Instant,
    resolved: Resolved,
}

impl Known {
    fn is_fresh(&self, now: Instant) -> bool {
        let kept = if self.resolved.is_ok() { RESOLVED_FOR } else { UNRESOLVED_FOR };
        now.duration_since(self.tried) < kept
    }

    /// Whether addresses may be used until newer ones are found.
    fn is_usable(&self, now: Instant) -> bool {
        self.resolved.is_ok() && now.duration_since(self.since) < STALE_FOR
    }
}

impl Resolver {
    pub async fn resolve(&self, host: &str) -> Resolved {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Arc::from([address]));
        }
        let resolved = {
            let mut lookups = self.lookups();
            let now = Instant::now();
            let known = lookups.known.get(host);
            if let Some(known) = known.filter(|known| known.is_fresh(now)) {
                return known.resolved.clone();
            }
            let stale = known.filter(|known| known.is_usable(now)).map(|known| known.resolved.clone());
            let is_asked = lookups.waiting.contains_key(host);
            if let Some(stale) = stale {
                if !is_asked && lookups.waiting.len() < UNRESOLVED {
                    lookups.waiting.insert(host.to_owned(), Vec::new());
                    lookups.queue.push_back(host.to_owned());
                    self.start_thread(&mut lookups);
                }
                return stale;
            }
            if !is_asked && lookups.waiting.len() >= UNRESOLVED {
                return Err("too many names are being resolved".into());
            }
            let (sender, resolved) = oneshot::channel();
            lookups.waiting.entry(host.to_owned()).or_default().push(sender);
            if !is_asked {
                lookups.queue.push_back(host.to_owned());
                self.start_thread(&mut lookups);
            }
            resolved
        };
        resolved.await.unwrap_or_else(|_| Err("the name was not resolved".into()))
    }

    fn lookups(&self) -> MutexGuard<'_, Lookups> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(&self, lookups: &mut Lookups) {
        if lookups.threads >= RESOLVERS {
            return;
        }
        let resolver = self.clone();
        if thread::Builder::new().name("resolver".into()).spawn(move || resolver.work()).is_ok() {
            lookups.threads += 1;
        } else if lookups.threads == 0 {
            // No thread will answer the waiting requests.
            lookups.queue.clear();
            lookups.waiting.clear();
        }
    }

    /// Resolves until no name waits.
    fn work(&self) {
        loop {
            let host = {
                let mut lookups = self.lookups();
                match lookups.queue.pop_front() {
                    Some(host) => host,
                    None => {
                        lookups.threads -= 1;
                        return;
                    }
                }
            };
            let resolved = system_addresses(&host);
            let mut lookups = self.lookups();
            let now = Instant::now();
            lookups.known.retain(|_, known| known.is_fresh(now) || known.is_usable(now));
            for waiting in lookups.waiting.remove(&host).unwrap_or_default() {
                // The request may have been cancelled.
                let _ = waiting.send(resolved.clone());
            }
            match lookups.known.get_mut(&host) {
                Some(known) if resolved.is_err() && known.is_usable(now) => known.tried = now,
                _ => {
                    lookups.known.insert(host, Known { since: now, tried: now, resolved });
                }
            }
        }
    }
}

fn system_addresses(host: &str) -> Resolved {
    let found = (host, 0).to_socket_addrs().map_err(|error| Arc::from(error.to_string()))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() { Err("the name has no address".into()) } else { Ok(addresses.into()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[actix_web::test]
    async fn names_and_addresses_are_resolved() {
        let resolver = Resolver::default();
        let address: IpAddr = "192.0.2.7".parse().expect("an address");
        assert_eq!(resolver.resolve("192.0.2.7").await.expect("itself").as_ref(), [address]);
        let local = resolver.resolve("localhost").await.expect("the addresses of localhost");
        assert!(local.iter().all(IpAddr::is_loopback));
        assert!(resolver.resolve("nowhere.invalid").await.is_err());
        assert!(resolver.lookups().known.contains_key("localhost"));
    }

    #[actix_web::test]
    async fn a_name_whose_resolver_fails_keeps_its_addresses() {
        let resolver = Resolver::default();
        let address: IpAddr = "192.0.2.7".parse().expect("an address");
        let old =
            Instant::now().checked_sub(Duration::from_secs(60)).expect("a machine that runs for a minute");
        let known = Known { since: old, tried: old, resolved: Ok(Arc::from([address])) };
        resolver.lookups().known.insert("nowhere.invalid".into(), known);
        for _ in 0..3 {
            let addresses = resolver.resolve("nowhere.invalid").await.expect("the old address");
            assert_eq!(addresses.as_ref(), [address]);
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[test]
    fn an_answer_is_kept_for_seconds_and_a_failure_for_less() {
        let since = Instant::now();
        let found = Known { since, tried: since, resolved: Ok(Arc::from([])) };
        let failed = Known { since, tried: since, resolved: Err("no".into()) };
        assert!(found.is_fresh(since + Duration::from_secs(9)));
        assert!(!found.is_fresh(since + Duration::from_secs(10)));
        assert!(failed.is_fresh(since + Duration::from_millis(900)));
        assert!(!failed.is_fresh(since + Duration::from_secs(1)));
        assert!(found.is_usable(since + Duration::from_secs(299)));
        assert!(!found.is_usable(since + Duration::from_secs(300)) && !failed.is_usable(since));
    }
}
