//! Log-ins through the form, hash and rows and all: how near they come to what the cores can hash, and what
//! they do to those who are in already.

use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::{self, System};
use futures_util::future::join_all;
use latchkey::passwords::{Hasher, Password};

use super::hash::verifications;
use super::place::{Form, PASSWORD, PRODUCTION, Place, client};
use super::report::Report;

const SLICE: Duration = Duration::from_secs(4);
const AT_ONCE: [usize; 3] = [1, 4, 16];

/// Between two requests of somebody who is in: 80 a second.
const PACE: Duration = Duration::from_micros(12_500);

const RAW: &str = "passwords checked on all cores, without a server";
const ALONE: &str = "GET /home at 80 a second, alone";
const MEANWHILE: &str = "GET /home at 80 a second, 16 people logging in";
const BESIDE: &str = "log-ins, 16 people at once, beside GET /home";

pub fn measure(report: &mut Report) {
    let place = Place::new();
    let served = place.serve(None);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    System::new().block_on(async {
        let (client, most) = (client(), AT_ONCE[2]);
        let mut people = Vec::new();
        for number in 0..most {
            people.push(format!("person{number}@example.org"));
            place.person(&people[number]).await;
        }
        place.person("ada@example.org").await;
        let cookie = served.log_in(&client, "ada@example.org").await;
        let home = Guarded { url: format!("{}/home", served.origin), cookie };
        let form = Form::open(&client, &served.origin).await;
        let hasher = Hasher::new(PRODUCTION, cores, 64).unwrap();
        let stored = hasher.hash(Password::given(PASSWORD).unwrap()).await.unwrap();
        for _ in 0..report.rounds() {
            for at_once in AT_ONCE {
                let each = log_ins(&form, &client, &people[..at_once]).await;
                let name = format!("log-ins, {at_once} people at once");
                report.note(&name, "a second", each);
                report.note(&name, "ms each", 1000.0 * at_once as f64 / each);
            }
            report.note(RAW, "a second", verifications(&hasher, &stored, cores).await);
            home.visit().join().unwrap().note(report, ALONE);
            let visitor = home.visit();
            report.note(BESIDE, "a second", log_ins(&form, &client, &people).await);
            visitor.join().unwrap().note(report, MEANWHILE);
        }
    });
    let log_ins = report.median("log-ins, 16 people at once", "a second");
    report.value("logins_per_second", log_ins);
    report.value("logins_vs_raw_hashing", log_ins / report.median(RAW, "a second"));
    report.value("guarded_p95_ms_alone", report.median(ALONE, "ms p95"));
    report.value("guarded_p95_ms_while_logging_in", report.median(MEANWHILE, "ms p95"));
}

/// A second, each of the people over and over.
async fn log_ins(form: &Form, client: &reqwest::Client, people: &[String]) -> f64 {
    let begun = Instant::now();
    let browsers = people.iter().map(async |email| {
        let mut done = 0;
        while begun.elapsed() < SLICE {
            form.send(client, email).await;
            done += 1;
        }
        done
    });
    let done: u32 = join_all(browsers).await.into_iter().sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}

/// A page of somebody who is in.
#[derive(Clone)]
struct Guarded {
    url: String,
    cookie: String,
}

impl Guarded {
    /// At a steady pace, whatever the answers do, on a thread of its own, so that no other client delays it.
    fn visit(&self) -> thread::JoinHandle<Waits> {
        let guarded = self.clone();
        thread::spawn(move || System::new().block_on(guarded.visits()))
    }

    async fn visits(self) -> Waits {
        let (client, begun) = (client(), rt::time::Instant::now());
        let mut due = begun;
        let mut answers = Vec::new();
        while begun.elapsed() < SLICE {
            rt::time::sleep_until(due).await;
            let request = client.get(&self.url).header("cookie", &self.cookie);
            answers.push(rt::spawn(async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 200);
                answer.bytes().await.unwrap();
                // From when it should have been sent: a late start is a wait as well.
                due.elapsed().as_secs_f64() * 1000.0
            }));
            due += PACE;
        }
        let mut waits: Vec<f64> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
        waits.sort_by(f64::total_cmp);
        Waits(waits)
    }
}

/// Milliseconds, shortest first.
struct Waits(Vec<f64>);

impl Waits {
    fn note(&self, report: &mut Report, name: &str) {
        for (unit, percent) in [("ms p50", 50), ("ms p95", 95), ("ms p99", 99)] {
            report.note(name, unit, self.0[(self.0.len() - 1) * percent / 100]);
        }
    }
}
