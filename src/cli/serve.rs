//! `latchkey serve`: listens first, so that the platform sees a live process; then connects to the database; then
//! starts the background tasks.

use std::convert::Infallible;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::{System, signal, spawn, task, time};
use actix_web::web::Data;
use diesel::pg::PgConnection;
use futures_util::future::{Either, join_all, select};
use secrecy::ExposeSecret as _;
use tokio::sync::oneshot;

use super::connect::{self, ReachableDatabase};
use super::local_instance::LocalInstance;
use super::transport_security::{self, TransportSafety};
use super::{Failure, app, log};
use crate::accounts::Accounts;
use crate::apps::{Apps, AppsFile};
use crate::config::{Settings, raise_file_limit};
use crate::db::{Db, Failed, Fault, diagnostics, migrations};
use crate::lab::Lab;
use crate::mail::Mailer;
use crate::maintenance::IdnKeyCounts;
use crate::secret::random;
use crate::web::copy::mails;
use crate::web::{self, Shared};
use latchkey_sessions::PendingInvalidation;

/// The wait before another attempt to connect to the database.
const RETRY: Duration = Duration::from_secs(2);

/// How often expired rows are deleted, by one of the instances.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How often an instance checks whether that is due: between 0.5 and 1.5 times this, so that instances that were
/// started together spread out.
const PURGE_CHECK_EVERY: Duration = Duration::from_secs(900);

/// How often an instance looks for log-ins whose second step is overdue, with one query of an index. The notice may be
/// a minute late.
const UNFINISHED_LOGINS_EVERY: Duration = Duration::from_secs(60);

/// How long an interrupted start-up may take to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Bytes of unread responses that the kernel buffers per client. A client that sends many requests and reads nothing
/// then causes few responses to be computed. The kernel doubles the number; a page fits.
const SEND_BUFFER: usize = 64 * 1024;

/// The kernel closes a connection whose response is not acknowledged for this long; actix would wait for ever. A phone
/// in a tunnel reconnects sooner.
#[cfg(target_os = "linux")]
const UNREAD_RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

pub fn run(mut settings: Settings) -> Result<(), Failure> {
    log::start();
    // If the file has an error, refuse it before anything is served.
    let apps_file = settings.apps.file.as_deref().map(app::read_file).transpose()?;
    raise_file_limit();
    let listener = listen(SocketAddr::new(settings.server.bind, settings.server.port))?;
    let address = listener.local_addr()?;
    settings.listening_on(address.port())?;
    let decisions = settings.front.address().map(listen).transpose()?;
    let mut listeners = vec![listener];
    // Programs resolve names below localhost to either IP address. A machine without IPv6 has only one.
    if settings.is_local() && address.ip() == Ipv4Addr::LOCALHOST {
        listeners.extend(listen(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port())).ok());
    }
    let _announced = LocalInstance::announce(&settings)
        .map_err(|error| format!("{}: {error}", settings.data_dir.display()))?;
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
    let db = Db::shut(settings.pool).with_direct(settings.database_direct.clone());
    let accounts = Accounts::new(db.clone(), mailer.clone(), &settings, mails::write)?;
    let system = System::new();
    let ended = system.block_on(async move {
        let shared = Data::new(Shared::new(accounts.clone(), &settings));
        let lab = shared.lab.clone();
        let server = web::serve(listeners, shared.clone(), &settings)?;
        let mut handles = vec![server.handle()];
        let deciding = match decisions {
            Some(listener) => {
                let address = listener.local_addr()?;
                let server = web::serve_decisions(listener, shared.clone(), &settings)?;
                handles.push(server.handle());
                Some((address, server))
            }
            None => None,
        };
        let watched = settings.metrics.map(|address| {
            web::ops::metrics::serve(address, shared)
                .map_err(|error| format!("cannot listen on {address} for metrics: {error}"))
        });
        let watched = watched.transpose()?.map(|server| {
            let handle = server.handle();
            spawn(server);
            handle
        });
        // Before any work starts: until then a signal kills the process.
        let told_to_stop = signals()?;
        let running = spawn(server);
        let deciding = deciding.map(|(address, server)| {
            tracing::info!(%address, "listening for the questions of proxies");
            spawn(server)
        });
        spawn(stop_on(told_to_stop, handles.clone()));
        tracing::info!(%address, "listening");
        if settings.registration_lacks_mail() {
            tracing::warn!(
                registration = settings.registration.as_str(),
                advice = "set LATCHKEY__MAIL__SMTP_URL, or LATCHKEY__REGISTRATION=closed",
                "visitors cannot register: there is no mail server to send the confirmation"
            );
        }
        let (keep_trying, given_up) = channel();
        let (tell, told) = oneshot::channel();
        let preparing = (settings.clone(), db.clone(), accounts.apps.clone(), apps_file);
        // On its own thread: unlike threads of the runtime, it cannot keep the process from exiting.
        thread::spawn(move || {
            let (settings, db, apps, file) = preparing;
            let apply = |conn: &mut PgConnection| apply_apps(&settings, &apps, file.as_ref(), conn);
            let _ =
                tell.send(prepare(&settings, &db, &given_up, apply).map_err(|failure| failure.to_string()));
        });
        let prepared = Box::pin(async {
            told.await.unwrap_or_else(|_| Err("the database could not be prepared".into()))
        });
        let (reached, pending, running) = match select(prepared, running).await {
            Either::Left((Ok((reached, pending)), running)) => (reached, pending, running),
            Either::Left((Err(why), _)) => {
                join_all(handles.iter().map(|handle| handle.stop(false))).await;
                return Err(why.into());
            }
            Either::Right((ended, prepared)) => {
                drop(keep_trying);
                ended??;
                tracing::info!("stopped before the database was ready");
                let reached = time::timeout(SHUTDOWN_GRACE, prepared).await.ok().and_then(Result::ok);
                if let Some((reached, _)) = reached {
                    stop_local_server(reached).await?;
                }
                return Ok(());
            }
        };
        spawn(mailer.deliver_forever(db));
        spawn(purge_forever(accounts.clone()));
        match lab {
            Some(lab) => {
                spawn(delete_expired_runs_forever(lab));
            }
            None => delete_runs_of_the_lab(&accounts).await,
        }
        spawn(notify_unfinished_logins_forever(accounts.clone()));
        let background = accounts.sessions().start_background();
        fill_idn_keys(&accounts).await;
        if let Some(pending) = pending {
            pending.wait(accounts.sessions()).await;
        }
        log_ready(&accounts, &settings).await;
        warn_if_apps_are_not_served(&accounts, &settings).await;
        running.await??;
        if let Some(deciding) = deciding {
            deciding.await??;
        }
        if let Some(watched) = watched {
            watched.stop(false).await;
        }
        tracing::info!("stopped");
        if let Err(fault) = background.stop().await {
            tracing::warn!(%fault, "cannot write when sessions were last used");
        }
        stop_local_server(reached).await
    });
    // Dropping the runtime would wait for its threads, and one that waits for a hanging database never ends. All
    // responses have been sent by now. `System::current` is leaked as well: otherwise a worker thread that ends later
    // could hold the last handle and wake the runtime while its thread-locals are destroyed, which makes tokio abort.
    mem::forget(System::current());
    mem::forget(system);
    ended
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit both.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNREAD_RESPONSE_TIMEOUT))?;
    socket.bind(&address.into()).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Connects to and migrates the database, and retries until it succeeds; until then requests are answered with 503.
/// Stops when the sender of `given_up` is dropped.
fn prepare(
    settings: &Settings,
    db: &Db,
    given_up: &Receiver<Infallible>,
    apply: impl Fn(&mut PgConnection) -> Result<Option<PendingInvalidation>, Fault>,
) -> Result<(ReachableDatabase, Option<PendingInvalidation>), Failure> {
    let reached = connect::database(settings)?;
    loop {
        match connect::no_unknown_pooler(settings, reached.url.expose_secret())
            .and_then(|()| migrations::run_then(reached.direct.expose_secret(), &apply))
        {
            Ok((applied, pending)) => {
                if !applied.is_empty() {
                    tracing::info!(applied = applied.join(", "), "schema migrated");
                }
                warn_if_unsafe_transport(settings);
                db.open(reached.url.expose_secret());
                return Ok((reached, pending));
            }
            Err(fault @ (Fault::Unavailable(_) | Fault::LostConnection(_))) => {
                tracing::warn!(%fault, "waiting for the database");
                if given_up.recv_timeout(RETRY) == Err(RecvTimeoutError::Disconnected) {
                    return Err(fault.into());
                }
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// Applies the file of apps that `LATCHKEY_APPS` names. Until the returned invalidation is complete, other instances
/// may decide by the old state.
fn apply_apps(
    settings: &Settings,
    apps: &Apps,
    file: Option<&AppsFile>,
    conn: &mut PgConnection,
) -> Result<Option<PendingInvalidation>, Fault> {
    let (Some(path), Some(file)) = (&settings.apps.file, file) else { return Ok(None) };
    match apps.apply_at_start(conn, file) {
        Ok((applied, pending)) => {
            if !applied.is_empty() {
                let changes = app::change_lines(&applied).join("; ");
                tracing::info!(file = %path.display(), changes, "the file of apps is applied");
            }
            Ok(Some(pending))
        }
        Err(Failed::Refused(why)) => Err(Fault::bug(app::refused_file(path, &why))),
        Err(Failed::Fault(fault)) => Err(fault),
    }
}

/// Warns if others can read or change the connection to the database. It is not refused, because some platforms rely on
/// a private network.
fn warn_if_unsafe_transport(settings: &Settings) {
    let pool = settings.database.as_ref().map(|url| (url, "DATABASE_URL"));
    let direct = settings.database_direct.as_ref().map(|url| (url, "LATCHKEY__DATABASE__DIRECT_URL"));
    for (url, connection) in pool.into_iter().chain(direct) {
        let url = url.expose_secret();
        // Not encrypted unless confirmed.
        let is_encrypted =
            || diagnostics::tls_status_of(url).is_ok_and(|transport_security| transport_security.encrypted);
        let transport_security = transport_security::assess(url, is_encrypted);
        if transport_security.safety.is_good() {
            continue;
        }
        let seen = match transport_security.safety {
            TransportSafety::Plaintext => {
                "not encrypted: anyone on the network can read and change everything"
            }
            _ => "encrypted, but the identity of the server is not verified",
        };
        let (sslmode, advice) = (transport_security.sslmode, transport_security::ADVICE);
        tracing::warn!(connection, sslmode, seen, advice, "the connection to the database is not safe");
    }
}

/// Stops the server of local mode unless another process uses it. Blocks.
async fn stop_local_server(reached: ReachableDatabase) -> Result<(), Failure> {
    task::spawn_blocking(move || reached.server.map(|server| server.stop())).await?.transpose()?;
    Ok(())
}

async fn log_ready(accounts: &Accounts, settings: &Settings) {
    tracing::info!(url = settings.server.public.as_str(), "ready");
    match accounts.registration.setup_link().await {
        Ok(Some(link)) => {
            tracing::info!(link, "there is no administrator yet: open the link to create the first one")
        }
        Ok(None) => {}
        Err(fault) => tracing::warn!(%fault, "cannot create the setup link"),
    }
}

/// Without an invalidation listener, an instance would keep passing requests on after their session has ended, so it
/// passes none on.
async fn warn_if_apps_are_not_served(accounts: &Accounts, settings: &Settings) {
    if settings.sessions.cached > 0 {
        return;
    }
    match accounts.apps.snapshot().await {
        Ok(apps) if apps.is_empty() => {}
        Ok(_) => tracing::warn!(
            advice = "set LATCHKEY__SESSIONS__CACHE=on, and LATCHKEY__SESSIONS__CACHED above 0",
            "requests for apps are answered with 503: without a session cache there is no invalidation listener"
        ),
        Err(fault) => tracing::warn!(%fault, "cannot read which apps are registered"),
    }
}

/// From now on, rows of older versions are also found by other spellings of their domain.
async fn fill_idn_keys(accounts: &Accounts) {
    match accounts.maintenance.fill_idn_keys().await {
        Ok(IdnKeyCounts { filled, shared }) => {
            if filled > 0 {
                tracing::info!(filled, "addresses are now compared by the ASCII form of their domain");
            }
            if shared > 0 {
                let advice = "docs/decisions/email-keys.md";
                tracing::warn!(shared, advice, "accounts share a mailbox under two spellings of its domain");
            }
        }
        Err(fault) => tracing::warn!(%fault, "cannot fill in the keys of addresses yet"),
    }
}

async fn delete_expired_runs_forever(lab: Lab) {
    loop {
        if let Err(fault) = lab.delete_expired().await {
            tracing::warn!(%fault, "cannot delete expired runs of the lab");
        }
        time::sleep(PURGE_CHECK_EVERY.mul_f64(0.5 + jitter())).await;
    }
}

/// The lab is switched off: runs of an earlier start must not keep their IP addresses.
async fn delete_runs_of_the_lab(accounts: &Accounts) {
    match Lab::delete_all(accounts.db()).await {
        Ok(0) => {}
        Ok(runs) => tracing::info!(runs, "deleted the runs of the lab, which is switched off"),
        Err(fault) => tracing::warn!(%fault, "cannot delete the runs of the lab, which is switched off"),
    }
}

async fn purge_forever(accounts: Accounts) {
    loop {
        match accounts.maintenance.purge_when_due(PURGE_EVERY).await {
            Ok(None | Some(0)) => {}
            Ok(Some(rows)) => tracing::info!(rows, "deleted expired rows"),
            Err(fault) => tracing::warn!(%fault, "cannot delete expired rows"),
        }
        time::sleep(PURGE_CHECK_EVERY.mul_f64(0.5 + jitter())).await;
    }
}

/// Random between 0 and 1; 0.5 if the random generator fails.
fn jitter() -> f64 {
    random::<4>().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

async fn notify_unfinished_logins_forever(accounts: Accounts) {
    loop {
        if let Err(fault) = accounts.login.notify_unfinished_logins().await {
            tracing::warn!(%fault, "cannot send notices about unfinished log-ins yet");
        }
        time::sleep(UNFINISHED_LOGINS_EVERY.mul_f64(0.5 + jitter())).await;
    }
}

/// SIGTERM and Ctrl-C.
pub fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    let mut interrupt = signal::unix::signal(signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
    })
}

/// Stops accepting, finishes running requests, and exits.
async fn stop_on(told_to_stop: impl Future<Output = ()>, handles: Vec<ServerHandle>) {
    told_to_stop.await;
    tracing::info!("stopping");
    join_all(handles.iter().map(|handle| handle.stop(true))).await;
}
