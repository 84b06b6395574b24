//! Log-ins through the form, hash and rows and all.

use std::time::{Duration, Instant};

use actix_web::rt::System;
use futures_util::future::join_all;

use super::place::{Form, Place, client};
use super::report::Report;

const SLICE: Duration = Duration::from_secs(4);
const AT_ONCE: [usize; 3] = [1, 4, 16];

pub fn measure(report: &mut Report) {
    let place = Place::new();
    let served = place.serve(None);
    System::new().block_on(async {
        let (client, most) = (client(), AT_ONCE[2]);
        let mut people = Vec::new();
        for number in 0..most {
            people.push(format!("person{number}@example.org"));
            place.person(&people[number]).await;
        }
        served.log_in(&client, &people[0]).await;
        let form = Form::open(&client, &served.origin).await;
        for _ in 0..report.rounds() {
            for at_once in AT_ONCE {
                let begun = Instant::now();
                let browsers = people[..at_once].iter().map(async |email| {
                    let mut done = 0;
                    while begun.elapsed() < SLICE {
                        form.send(&client, email).await;
                        done += 1;
                    }
                    done
                });
                let done: u32 = join_all(browsers).await.into_iter().sum();
                let name = format!("log-ins, {at_once} people at once");
                let elapsed = begun.elapsed().as_secs_f64();
                report.note(&name, "a second", f64::from(done) / elapsed);
                report.note(&name, "ms each", elapsed * 1000.0 * at_once as f64 / f64::from(done));
            }
        }
    });
    report.value("logins_per_second", report.median("log-ins, 16 people at once", "a second"));
}
