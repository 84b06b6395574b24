//! Log-ins with the form, including hash and rows: how close they come to the hashing capacity of the cores, and how they
//! affect users who are logged in.

use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::{self, System};
use futures_util::future::join_all;
use latchkey::passwords::{Hasher, Password};

use super::environment::{Environment, Form, PASSWORD, PRODUCTION, client};
use super::hash::verifications;
use super::report::Report;

const SLICE: Duration = Duration::from_secs(4);
const CONCURRENCY: [usize; 3] = [1, 4, 16];

/// The time between two requests of a logged-in user: 80 per second.
const PACE: Duration = Duration::from_micros(12_500);

const RAW: &str = "passwords checked on all cores, without a server";
const ALONE: &str = "GET /home at 80 a second, alone";
const MEANWHILE: &str = "GET /home at 80 a second, 16 people logging in";
const BESIDE: &str = "log-ins, 16 people at once, beside GET /home";

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    let served = environment.serve(None);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    System::new().block_on(async {
        let (client, most) = (client(), CONCURRENCY[2]);
        let mut people = Vec::new();
        for number in 0..most {
            people.push(format!("person{number}@example.org"));
            environment.create_user(&people[number]).await;
        }
        environment.create_user("ada@example.org").await;
        let cookie = served.log_in(&client, "ada@example.org").await;
        let home = Guarded { url: format!("{}/home", served.origin), cookie };
        let form = Form::open(&client, &served.origin).await;
        let hasher = Hasher::new(PRODUCTION, cores, 64).unwrap();
        let stored = hasher.hash(Password::given(PASSWORD).unwrap()).await.unwrap();
        for _ in 0..report.rounds() {
            for concurrency in CONCURRENCY {
                let each = log_ins(&form, &client, &people[..concurrency]).await;
                let name = format!("log-ins, {concurrency} people at once");
                report.note(&name, "a second", each);
                report.note(&name, "ms each", 1000.0 * concurrency as f64 / each);
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

/// Log-ins per second, by each of these users repeatedly.
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

/// A page of a logged-in user.
#[derive(Clone)]
struct Guarded {
    url: String,
    cookie: String,
}

impl Guarded {
    /// Sends requests at a steady pace that does not depend on the answers, on a thread of its own, so that no other client
    /// delays it.
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
                // Since the time at which it was due: a late start counts as waiting.
                due.elapsed().as_secs_f64() * 1000.0
            }));
            due += PACE;
        }
        let mut waits: Vec<f64> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
        waits.sort_by(f64::total_cmp);
        Waits(waits)
    }
}

/// In milliseconds, sorted.
struct Waits(Vec<f64>);

impl Waits {
    fn note(&self, report: &mut Report, name: &str) {
        for (unit, percent) in [("ms p50", 50), ("ms p95", 95), ("ms p99", 99)] {
            report.note(name, unit, self.0[(self.0.len() - 1) * percent / 100]);
        }
    }
}
