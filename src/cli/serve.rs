//! `latchkey serve`: listen first, so that the platform sees a process that is alive; then bring up the
//! database; then do the work that goes on beside the requests.

use std::convert::Infallible;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::{System, signal, spawn, task, time};
use actix_web::web::Data;
use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use super::local_instance::LocalInstance;
use super::reach::{self, Reached};
use super::way::{self, Safety};
use super::{Failure, log};
use crate::accounts::Accounts;
use crate::config::Settings;
use crate::db::{Db, Fault, diagnostics, migrations};
use crate::lab::Lab;
use crate::mail::Mailer;
use crate::secret::random;
use crate::users::IdnKeys;
use crate::web::{self, Shared};

/// How long to wait before asking a database again that did not answer.
const RETRY: Duration = Duration::from_secs(2);

/// Dead sessions, links and counters are looked for this often, by whichever instance comes first.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often an instance asks whether it is time: between half of this and one and a half, so that instances which
/// were started together do not all come at once.
const TIDY_LOOK: Duration = Duration::from_secs(900);

/// How often an instance looks for log-ins whose second step is overdue: one query of an index. Their letter may come a
/// minute late.
const MISSING_STEPS_EVERY: Duration = Duration::from_secs(60);

/// A start-up told to stop has this long to let go of what it was doing.
const LET_GO: Duration = Duration::from_secs(10);

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;

/// Bytes of unread answers that the kernel may keep for a client. A client that sends many requests and reads
/// nothing then makes us compute few of the answers. The kernel doubles the number; a page fits.
const SEND_BUFFER: usize = 64 * 1024;

/// An answer that nobody takes is given up after this: actix waits for ever, so the kernel is told. Phones are back
/// from a tunnel sooner.
#[cfg(target_os = "linux")]
const UNTAKEN: Duration = Duration::from_secs(20);

pub fn run(mut settings: Settings) -> Result<(), Failure> {
    log::start();
    let listener = listen(SocketAddr::new(settings.server.bind, settings.server.port))?;
    let address = listener.local_addr()?;
    settings.listening_on(address.port())?;
    let _announced = LocalInstance::announce(&settings)
        .map_err(|error| format!("{}: {error}", settings.data_dir.display()))?;
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone())?;
    let db = Db::shut(settings.pool).with_direct(settings.database_direct.clone());
    let accounts = Accounts::new(db.clone(), mailer.clone(), &settings)?;
    let system = System::new();
    let ended = system.block_on(async move {
        let shared = Data::new(Shared::new(accounts.clone(), &settings));
        let lab = shared.lab.clone();
        let server = web::serve(listener, shared.clone(), &settings)?;
        let handle = server.handle();
        let watched = settings.metrics.map(|address| {
            web::ops::metrics::serve(address, shared)
                .map_err(|error| format!("cannot listen on {address} for metrics: {error}"))
        });
        let watched = watched.transpose()?.map(|server| {
            let handle = server.handle();
            spawn(server);
            handle
        });
        // Before anything is begun: until then a signal would simply kill us.
        let told_to_stop = signals()?;
        let running = spawn(server);
        spawn(stop_on(told_to_stop, handle.clone()));
        tracing::info!(%address, "listening");
        if settings.registration_lacks_mail() {
            tracing::warn!(
                registration = settings.registration.as_str(),
                advice = "set LATCHKEY__MAIL__SMTP_URL, or LATCHKEY__REGISTRATION=closed",
                "nobody can register: there is no mail server to send the confirmation with"
            );
        }
        let (keep_trying, given_up) = channel();
        let (tell, told) = oneshot::channel();
        let preparing = (settings.clone(), db.clone());
        // A thread of its own: unlike the runtime's, it cannot keep the process from ending.
        thread::spawn(move || {
            let (settings, db) = preparing;
            let _ = tell.send(prepare(&settings, &db, &given_up).map_err(|failure| failure.to_string()));
        });
        let (reached, running) = match select(told, running).await {
            Either::Left((Ok(Ok(reached)), running)) => (reached, running),
            Either::Left((Ok(Err(why)), _)) => {
                handle.stop(false).await;
                return Err(why.into());
            }
            Either::Left((Err(_), _)) => {
                handle.stop(false).await;
                return Err("the database could not be prepared".into());
            }
            Either::Right((ended, told)) => {
                drop(keep_trying);
                ended??;
                tracing::info!("stopped before the database was ready");
                if let Ok(Ok(Ok(reached))) = time::timeout(LET_GO, told).await {
                    leave(reached).await?;
                }
                return Ok(());
            }
        };
        spawn(mailer.deliver_forever(db));
        spawn(tidy_forever(accounts.clone()));
        match lab {
            Some(lab) => {
                spawn(delete_expired_runs_forever(lab));
            }
            None => delete_runs_of_the_lab(&accounts).await,
        }
        spawn(tell_of_missing_steps_forever(accounts.clone()));
        let background = accounts.sessions().start_background();
        fill_idn_keys(&accounts).await;
        welcome(&accounts, &settings).await;
        running.await??;
        if let Some(watched) = watched {
            watched.stop(false).await;
        }
        tracing::info!("stopped");
        if let Err(fault) = background.stop().await {
            tracing::warn!(%fault, "cannot write when sessions were last used");
        }
        leave(reached).await
    });
    // The runtime would wait for its threads, and one that waits for a database that hangs waits for ever. Whoever
    // was asking has their answer by now.
    // With it stays the way to it: a worker's thread that ends after this one would else be the last to hold that, and
    // wake the runtime while its own locals are destroyed, which tokio answers with an abort.
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
    socket.set_tcp_user_timeout(Some(UNTAKEN))?;
    socket.bind(&address.into()).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Reaches and migrates the database, however long that takes: until then requests are answered 503.
/// Ends when the other side of `given_up` is gone.
fn prepare(settings: &Settings, db: &Db, given_up: &Receiver<Infallible>) -> Result<Reached, Failure> {
    let reached = reach::database(settings)?;
    loop {
        match reach::no_unknown_pooler(settings, &reached.url).and_then(|()| migrations::run(&reached.direct))
        {
            Ok(applied) => {
                if !applied.is_empty() {
                    tracing::info!(applied = applied.join(", "), "schema migrated");
                }
                watch_the_way(settings);
                db.open(&reached.url);
                return Ok(reached);
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

/// Says so where others could read or change what travels to the database. Not refused: a private network is some
/// platforms' way, and what deploys there must come up.
fn watch_the_way(settings: &Settings) {
    let pool = settings.database.as_ref().map(|url| (url, "DATABASE_URL"));
    let direct = settings.database_direct.as_ref().map(|url| (url, "LATCHKEY__DATABASE__DIRECT_URL"));
    for (url, connection) in pool.into_iter().chain(direct) {
        // What nobody confirms is not there.
        let is_encrypted = || diagnostics::tls_status_of(url).is_ok_and(|way| way.encrypted);
        let way = way::judge(url, is_encrypted);
        if way.safety.is_good() {
            continue;
        }
        let seen = match way.safety {
            Safety::Plain => "not encrypted: whoever is on the network reads and changes everything",
            _ => "encrypted, but nobody has looked whether it is the right server",
        };
        let (sslmode, advice) = (way.sslmode, way::ADVICE);
        tracing::warn!(connection, sslmode, seen, advice, "the way to the database is not safe");
    }
}

/// Local mode's server stops with its last user. That blocks, and there is nothing left to serve.
async fn leave(reached: Reached) -> Result<(), Failure> {
    task::spawn_blocking(move || reached.server.map(|server| server.stop())).await?.transpose()?;
    Ok(())
}

async fn welcome(accounts: &Accounts, settings: &Settings) {
    tracing::info!(url = settings.server.public.as_str(), "ready");
    match accounts.users.setup_link().await {
        Ok(Some(link)) => tracing::info!(
            link,
            "nobody administers this yet: open the link to become the first administrator"
        ),
        Ok(None) => {}
        Err(fault) => tracing::warn!(%fault, "the setup link cannot be made"),
    }
}

/// Rows that a version before this one wrote are also found by other spellings of their domain from now on.
async fn fill_idn_keys(accounts: &Accounts) {
    match accounts.maintenance.fill_idn_keys().await {
        Ok(IdnKeys { filled, shared }) => {
            if filled > 0 {
                tracing::info!(filled, "addresses are compared by their domains' ASCII form");
            }
            if shared > 0 {
                let advice = "docs/decisions/email-keys.md";
                tracing::warn!(shared, advice, "accounts share a mailbox under two spellings of its domain");
            }
        }
        Err(fault) => tracing::warn!(%fault, "keys of addresses cannot be filled in yet"),
    }
}

async fn delete_expired_runs_forever(lab: Lab) {
    loop {
        if let Err(fault) = lab.delete_expired().await {
            tracing::warn!(%fault, "cannot delete expired runs of the lab");
        }
        time::sleep(TIDY_LOOK.mul_f64(0.5 + share())).await;
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

async fn tidy_forever(accounts: Accounts) {
    loop {
        match accounts.maintenance.tidy_when_due(TIDY_EVERY).await {
            Ok(None | Some(0)) => {}
            Ok(Some(rows)) => tracing::info!(rows, "what had ended is deleted"),
            Err(fault) => tracing::warn!(%fault, "what has ended cannot be deleted"),
        }
        time::sleep(TIDY_LOOK.mul_f64(0.5 + share())).await;
    }
}

/// By chance between nought and one; the middle where there is no chance to be had.
fn share() -> f64 {
    random::<4>().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

async fn tell_of_missing_steps_forever(accounts: Accounts) {
    loop {
        if let Err(fault) = accounts.login.tell_of_missing_steps().await {
            tracing::warn!(%fault, "letters about log-ins without a second step cannot be written yet");
        }
        time::sleep(MISSING_STEPS_EVERY.mul_f64(0.5 + share())).await;
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

/// Stop accepting, finish what runs, end.
async fn stop_on(told_to_stop: impl Future<Output = ()>, handle: ServerHandle) {
    told_to_stop.await;
    tracing::info!("stopping");
    handle.stop(true).await;
}
