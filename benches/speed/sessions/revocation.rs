//! How long a revocation takes: until another instance has evicted the session, and until the caller is answered, with
//! all instances running and with one of them stopped.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use latchkey::identity::UserId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::instances::{Instance, client as operator};
use crate::environment::{Environment, RunningServer, client, execute};
use crate::population::number;
use crate::report::{Report, percentile};

const TRIALS: usize = 300;

/// Trials with a stopped instance: each waits for a lease to expire, and then until the instance is back.
const STOPPED_TRIALS: usize = 20;

/// Requests that wait at the stopped instance while its session is revoked.
const QUEUED: usize = 8;

/// Returns how many requests started after the answer and were served.
pub fn measure(report: &mut Report, environment: &Environment) -> usize {
    System::new().block_on(async {
        let ada = environment.create_user("revoked@example.org").await;
        let instances = Instance::three(environment).await;
        let evicted = evictions(environment, &instances, ada).await;
        report.note("revocation committed → gone from another instance", "ms p50", percentile(&evicted, 0.5));
        report.value("revocation_evict_p99_ms", percentile(&evicted, 0.99));
        let answered = answers(&instances, ada).await;
        report.note("revocation answered, three instances", "ms p50", percentile(&answered, 0.5));
        report.value("revocation_answer_p99_ms", percentile(&answered, 0.99));
        drop(instances);
        let served = environment.serve(None);
        let [one, two] = [Instance::start(environment).await, Instance::start(environment).await];
        let (stopped, late) = answers_while_one_is_stopped(environment, &served, [&one, &two], ada).await;
        report.note("revocation answered, one of three stopped", "ms p50", percentile(&stopped, 0.5));
        report.value("revocation_answer_stopped_p99_ms", percentile(&stopped, 0.99));
        late
    })
}

/// Revokes with plain SQL, so that only the database notifies the instances. In milliseconds.
async fn evictions(environment: &Environment, [here, ..]: &[Instance; 3], user: Uuid) -> Vec<f64> {
    let mut conn = latchkey::db::migrations::connect(&environment.url).unwrap();
    let mut taken = Vec::new();
    for _ in 0..TRIALS {
        let key = here.open(user).await;
        let live = here.find(&key).await.expect("a session");
        // The log-in's own notification must be handled before, or it would evict the session.
        sleep(Duration::from_millis(10)).await;
        here.find(&key).await.expect("a session");
        let sessions = here.accounts.sessions();
        assert!(sessions.cached() > 0, "not in memory");
        let revoke =
            format!("UPDATE sessions SET revoked_at = now() WHERE handle = '{}'", live.record.handle);
        diesel::connection::SimpleConnection::batch_execute(&mut conn, &revoke).unwrap();
        let committed = Instant::now();
        while sessions.cached() > 0 {
            std::thread::sleep(Duration::from_micros(20));
        }
        taken.push(committed.elapsed().as_secs_f64() * 1000.0);
    }
    taken
}

/// Revokes with the operation that the page calls. In milliseconds.
async fn answers([here, there, third]: &[Instance; 3], user: Uuid) -> Vec<f64> {
    let mut taken = Vec::new();
    for _ in 0..TRIALS {
        let key = here.open(user).await;
        for instance in [here, there, third] {
            instance.find(&key).await.expect("a session");
        }
        let live = here.find(&key).await.expect("a session");
        let begun = Instant::now();
        here.accounts.login.log_out(live, operator()).await.unwrap();
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        sleep(Duration::from_millis(3)).await;
    }
    taken
}

/// The third instance is the program itself, which gets SIGSTOP while it has the session in memory. Requests are sent to
/// it after the answer. After SIGCONT it must serve none of them.
async fn answers_while_one_is_stopped(
    environment: &Environment,
    served: &RunningServer,
    [here, there]: [&Instance; 2],
    user: Uuid,
) -> (Vec<f64>, usize) {
    let client = client();
    let home = format!("{}/home", served.origin);
    let program = Pid::from_raw(i32::try_from(served.pid()).unwrap());
    let (mut taken, mut late) = (Vec::new(), 0);
    for _ in 0..STOPPED_TRIALS {
        execute(&environment.url, "DELETE FROM throttles");
        let cookie = served.log_in(&client, "revoked@example.org").await;
        while number(&environment.url, "SELECT count(*) FROM listeners WHERE NOT gone") < 3.0 {
            sleep(Duration::from_millis(20)).await;
        }
        let request = || client.get(&home).header("cookie", &cookie).send();
        // Until the session is served from memory.
        for _ in 0..3 {
            assert_eq!(request().await.unwrap().status().as_u16(), 200);
            sleep(Duration::from_millis(50)).await;
        }
        there.accounts.sessions().has_lease();
        kill(program, Signal::SIGSTOP).unwrap();
        let begun = Instant::now();
        let answer = here.accounts.admin.revoke_sessions_of(None, UserId(user), operator()).await;
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        let requests: Vec<_> = (0..QUEUED).map(|_| actix_web::rt::spawn(request())).collect();
        sleep(Duration::from_millis(20)).await;
        kill(program, Signal::SIGCONT).unwrap();
        assert!(answer.is_ok());
        for request in requests {
            late += usize::from(request.await.unwrap().unwrap().status().as_u16() == 200);
        }
    }
    (taken, late)
}
