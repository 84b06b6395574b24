//! Measurements: `bin/bench [sessions|lookups|memory|forget|pages|api|hash|login|enumeration|peers|front|scale]… [--rounds N]
//! [--json]`. Rounds are interleaved, so that other load on the machine affects every case alike. A figure is the median of
//! its rounds, with minimum and maximum.

mod api;
mod cold;
mod enumeration;
mod environment;
mod front;
mod hash;
mod login;
mod pages;
mod peers;
mod population;
mod report;
mod scale;
mod sessions;
mod targets;

use std::process::ExitCode;

use report::Report;

/// The groups that can be measured.
const GROUPS: [&str; 12] = [
    "sessions",
    "lookups",
    "memory",
    "forget",
    "pages",
    "api",
    "hash",
    "login",
    "enumeration",
    "peers",
    "front",
    "scale",
];

/// Measured on request only: the peers and the proxies must be installed, millions of rows take minutes, and the sessions include the
/// lookups, the memory and the evictions.
const ON_REQUEST: [&str; 6] = ["lookups", "memory", "forget", "peers", "front", "scale"];

fn main() -> ExitCode {
    if let [argument, url, count] = &std::env::args().skip(1).collect::<Vec<_>>()[..]
        && let Some(measure_self) = sessions::footprint::in_own_process(argument)
    {
        measure_self(url, count.parse().expect("how many"));
        return ExitCode::SUCCESS;
    }
    let (mut groups, mut rounds, mut json) = (Vec::new(), 5, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Added by `cargo bench`.
            "--bench" => {}
            "--json" => json = true,
            "--rounds" => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) if number >= 3 => rounds = number,
                _ => return usage(),
            },
            group if GROUPS.contains(&group) => groups.push(group.to_owned()),
            _ => return usage(),
        }
    }
    if groups.is_empty() {
        groups = GROUPS
            .iter()
            .filter(|group| !ON_REQUEST.contains(group))
            .map(|group| (*group).to_owned())
            .collect();
    }
    let mut report = Report::new(rounds);
    for group in &groups {
        match group.as_str() {
            "sessions" => sessions::measure(&mut report),
            "lookups" => sessions::measure_lookups(&mut report),
            "memory" => sessions::measure_memory(&mut report),
            "forget" => sessions::forget::measure(&mut report),
            "pages" => pages::measure(&mut report),
            "api" => api::measure(&mut report),
            "hash" => hash::measure(&mut report),
            "enumeration" => enumeration::measure(&mut report),
            "peers" => peers::measure(&mut report),
            "front" => front::measure(&mut report),
            "scale" => scale::measure(&mut report),
            _ => login::measure(&mut report),
        }
    }
    report.print(json);
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("bin/bench [{}]… [--rounds N (3 or more)] [--json]", GROUPS.join("|"));
    ExitCode::from(2)
}
