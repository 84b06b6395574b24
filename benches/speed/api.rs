//! The API: `GET /api/v1/me` with an access token from memory, compared with the same JSON behind a JWT. The program and
//! the database run on one core, the load generator on the other.

use std::ffi::OsStr;

use actix_web::rt::System;
use serde_json::Value;

use super::environment::{Environment, RunningServer, client};
use super::pages::wrk_with;
use super::report::Report;

/// Short slices in turn, because other load on the machine changes within seconds.
const SLICE: &str = "1s";
const TURNS: usize = 4;
const CONNECTIONS: &str = "16";

const EMAIL: &str = "ada@example.org";

const VARIANTS: [(&str, &str); 2] =
    [("with an access token", "/api/v1/me"), ("with a JWT, HS256", "/yardstick/api/hs256")];

struct Turn {
    per_second: f64,
    /// Microseconds of CPU for each request.
    cpu: f64,
}

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    environment.insert_other_sessions(10_000);
    environment.pin_database("0");
    let served = environment.serve(Some("0"));
    let headers = System::new().block_on(credentials(&environment, &served));
    let [mut rates, mut costs] = [const { Vec::new() }; 2];
    // The first turn warms up and is not counted.
    for turn in 0..=report.rounds() * TURNS {
        let [token, jwt]: [Turn; 2] = std::array::from_fn(|way| {
            let before = served.cpu();
            let (name, path) = VARIANTS[way];
            let url = format!("{}{path}", served.origin);
            let seen = wrk_with(&url, &headers[way..=way], CONNECTIONS, SLICE);
            let cpu = (served.cpu() - before) * 1e6 / seen.requests;
            if turn > 0 {
                let name = format!("the user as JSON {name}");
                seen.note(report, &name);
                report.note(&name, "µs of CPU", cpu);
            }
            Turn { per_second: seen.per_second, cpu }
        });
        if turn > 0 {
            rates.push(token.per_second / jwt.per_second);
            costs.push(token.cpu / jwt.cpu);
        }
    }
    report.value_of_rounds("api_vs_jwt_hs256", &rates);
    report.value_of_rounds("api_cpu_vs_hs256", &costs);
}

/// The header for each way. The answers must then be equal, except for times.
async fn credentials(environment: &Environment, served: &RunningServer) -> [String; 2] {
    environment.create_user(EMAIL).await;
    let client = client();
    served.wait_until_ready(&client).await;
    let create = ["token", "create", "--user", EMAIL, "--name", "bench", "--scope", "me"].map(OsStr::new);
    let token = served.run(environment, &create).trim().to_owned();
    let get = async |path: &str, credential: &str| {
        let request = client.get(format!("{}{path}", served.origin));
        let answer = request.header("authorization", credential).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path} (run bin/bench, which builds with the feature yardstick): {body}");
        body
    };
    let token = format!("Bearer {token}");
    let jwt = format!("Bearer {}", get("/yardstick/api/token", &token).await);
    let [ours, theirs] = [get(VARIANTS[0].1, &token).await, get(VARIANTS[1].1, &jwt).await];
    let keys = |body: &str| match serde_json::from_str(body).unwrap() {
        Value::Object(object) => object.keys().cloned().collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    assert_eq!(keys(&ours), keys(&theirs));
    assert!(ours.len().abs_diff(theirs.len()) < 32, "different answers: {ours} {theirs}");
    [token, jwt].map(|credential| format!("Authorization: {credential}"))
}
