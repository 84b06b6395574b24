//! Checks the files of docs/single-machine.md: the unit, its settings and nginx. `bin/single-machine` runs the guide
//! itself.

use std::collections::HashMap;

use latchkey::config::Settings;

use super::read;

fn environment() -> HashMap<String, String> {
    let text = read("deploy/latchkey.env.example");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

#[test]
fn the_example_is_refused_until_its_placeholders_are_replaced() {
    let example = environment();
    let refusal = Settings::from_environment(example.clone()).err().unwrap().to_string();
    let mut filled = example.clone();
    for (name, value) in &example {
        if value.contains("REPLACE-ME") {
            assert!(refusal.contains(&format!("{name} still has the placeholder")), "{name}: {refusal}");
            filled.insert(name.clone(), value.replace("REPLACE-ME", super::DEPLOYED[1].1));
        }
    }
    let settings = Settings::from_environment(filled).unwrap();
    assert!(!settings.is_local());
    // nginx is the only way in, and it is one proxy.
    assert!(settings.server.bind.is_loopback() && settings.metrics.unwrap().ip().is_loopback());
    assert_eq!(settings.server.trusted_hops, 1);
    let nginx = read("deploy/nginx.conf");
    assert!(nginx.contains(&format!("proxy_pass http://127.0.0.1:{};", settings.server.port)));
    // A single entry, which the client cannot choose.
    assert!(nginx.contains("proxy_set_header X-Forwarded-For $remote_addr;"));
}

#[test]
fn the_unit_leaves_time_to_stop_and_takes_every_right_away() {
    let unit = read("deploy/latchkey.service");
    let setting = |name: &str| {
        let mut found = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.next().unwrap_or_else(|| panic!("no {name}"))
    };
    // As for Kubernetes: 25 s for requests and 10 s for the rest.
    assert!(setting("TimeoutStopSec").parse::<u32>().unwrap() >= 35);
    assert_eq!((setting("User"), setting("CapabilityBoundingSet")), ("latchkey", ""));
    for name in ["NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "MemoryDenyWriteExecute"] {
        assert_eq!(setting(name), "yes", "{name}");
    }
    assert_eq!(setting("ProtectSystem"), "strict");
    assert_eq!(setting("EnvironmentFile"), "/etc/latchkey/latchkey.env");
}

#[test]
fn the_guide_installs_each_file_and_its_walk_runs_every_block() {
    let (guide, walk) = (read("docs/single-machine.md"), read("bin/single-machine"));
    for file in [
        "latchkey.service",
        "latchkey.env.example",
        "latchkeyctl",
        "latchkey-backup",
        "latchkey-backup.service",
        "latchkey-backup.timer",
        "nginx.conf",
    ] {
        assert!(guide.contains(&format!("deploy/{file} ")), "{file}");
    }
    assert!(walk.contains("guide=docs/single-machine.md"));
    // Blocks of another kind are not run, so each has to be known.
    let kinds = |text: &str| -> Vec<String> {
        let fences = text.lines().filter_map(|line| line.strip_prefix("```"));
        fences.step_by(2).filter(|kind| *kind != "sh").map(str::to_owned).collect()
    };
    assert_eq!(kinds(&guide), ["sh build", ""]);
    assert_eq!(kinds(&read("docs/operations.md")), ["sh elsewhere"; 3]);
}
