//! How long until what is taken back is gone: from another instance's memory, and for whoever waits for the
//! answer, with all instances in order and with one of them stopped.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use actix_web::rt::time::sleep;
use latchkey::identity::UserId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::instances::{Instance, client as operator};
use crate::crowd::number;
use crate::place::{Place, Served, client, execute};
use crate::report::{Report, percentile};

const TRIALS: usize = 300;

/// Each waits for a lease to run out, and then for the stopped one to be back.
const STOPPED: usize = 20;

/// Requests that wait at the stopped instance while its session is revoked.
const QUEUED: usize = 8;

/// Answers how many requests were served that began after the answer.
pub fn measure(report: &mut Report, place: &Place) -> usize {
    System::new().block_on(async {
        let ada = place.person("revoked@example.org").await;
        let instances = Instance::three(place).await;
        let evicted = evictions(place, &instances, ada).await;
        report.note("revocation committed → gone from another instance", "ms p50", percentile(&evicted, 0.5));
        report.value("revocation_evict_p99_ms", percentile(&evicted, 0.99));
        let answered = answers(&instances, ada).await;
        report.note("revocation answered, three instances", "ms p50", percentile(&answered, 0.5));
        report.value("revocation_answer_p99_ms", percentile(&answered, 0.99));
        drop(instances);
        let served = place.serve(None);
        let [one, two] = [Instance::start(place).await, Instance::start(place).await];
        let (stopped, late) = answers_while_one_is_stopped(place, &served, [&one, &two], ada).await;
        report.note("revocation answered, one of three stopped", "ms p50", percentile(&stopped, 0.5));
        report.value("revocation_answer_stopped_p99_ms", percentile(&stopped, 0.99));
        late
    })
}

/// Revoked with psql's means, so that only the database tells anybody. Milliseconds.
async fn evictions(place: &Place, [here, ..]: &[Instance; 3], user: Uuid) -> Vec<f64> {
    let mut conn = latchkey::db::migrations::connect(&place.url).unwrap();
    let mut taken = Vec::new();
    for _ in 0..TRIALS {
        let key = here.open(user).await;
        let live = here.find(&key).await.expect("a session");
        // What the log-in announced must be over, or it would do the work of the revocation.
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

/// Through the verb that the page calls.
async fn answers([here, there, yonder]: &[Instance; 3], user: Uuid) -> Vec<f64> {
    let mut taken = Vec::new();
    for _ in 0..TRIALS {
        let key = here.open(user).await;
        for instance in [here, there, yonder] {
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

/// The third is the program itself, sent SIGSTOP with the session in its memory. Requests are sent to it after the
/// answer; then it may go on, and must not serve one of them.
async fn answers_while_one_is_stopped(
    place: &Place,
    served: &Served,
    [here, there]: [&Instance; 2],
    user: Uuid,
) -> (Vec<f64>, usize) {
    let client = client();
    let home = format!("{}/home", served.origin);
    let program = Pid::from_raw(i32::try_from(served.pid()).unwrap());
    let (mut taken, mut late) = (Vec::new(), 0);
    for _ in 0..STOPPED {
        execute(&place.url, "DELETE FROM throttles");
        let cookie = served.log_in(&client, "revoked@example.org").await;
        while number(&place.url, "SELECT count(*) FROM listeners WHERE NOT gone") < 3.0 {
            sleep(Duration::from_millis(20)).await;
        }
        let visit = || client.get(&home).header("cookie", &cookie).send();
        // Until it serves from memory.
        for _ in 0..3 {
            assert_eq!(visit().await.unwrap().status().as_u16(), 200);
            sleep(Duration::from_millis(50)).await;
        }
        there.accounts.sessions().is_trusted();
        kill(program, Signal::SIGSTOP).unwrap();
        let begun = Instant::now();
        let answer = here.accounts.admin.revoke_sessions_of(None, UserId(user), operator()).await;
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        let requests: Vec<_> = (0..QUEUED).map(|_| actix_web::rt::spawn(visit())).collect();
        sleep(Duration::from_millis(20)).await;
        kill(program, Signal::SIGCONT).unwrap();
        assert!(answer.unwrap().is_ok());
        for request in requests {
            late += usize::from(request.await.unwrap().unwrap().status().as_u16() == 200);
        }
    }
    (taken, late)
}
