//! The targets: a minimum and a goal for each. `docs/performance.md` explains them.

/// Minimum and goal, and whether more or less is better.
#[derive(Clone, Copy)]
pub enum Target {
    AtLeast(f64, f64),
    AtMost(f64, f64),
}

use Target::{AtLeast, AtMost};

const TARGETS: [(&str, Target); 44] = [
    ("guarded_vs_open", AtLeast(0.85, 0.95)),
    ("session_vs_jwt_hs256", AtLeast(1.0, 1.15)),
    ("session_vs_jwt_eddsa", AtLeast(2.0, 3.0)),
    ("check_cpu_vs_hs256", AtMost(1.0, 0.4)),
    ("check_cpu_vs_eddsa", AtMost(0.1, 0.04)),
    ("api_vs_jwt_hs256", AtLeast(1.0, 1.1)),
    ("api_cpu_vs_hs256", AtMost(1.0, 0.9)),
    ("cold_vs_pgbench", AtLeast(1.0, 2.0)),
    ("cold_p99_ms", AtMost(10.0, 5.0)),
    ("revocation_evict_p99_ms", AtMost(5.0, 1.0)),
    ("revocation_answer_p99_ms", AtMost(20.0, 5.0)),
    ("revocation_answer_stopped_p99_ms", AtMost(1200.0, 600.0)),
    ("served_after_revocation", AtMost(0.0, 0.0)),
    ("writes_per_request", AtMost(0.0, 0.0)),
    ("log_in_forgets_us_100k", AtMost(50.0, 10.0)),
    ("log_in_forgets_us_1m", AtMost(50.0, 10.0)),
    ("bytes_per_session", AtMost(300.0, 100.0)),
    ("bytes_per_scoped_key", AtMost(200.0, 100.0)),
    ("scoped_lookup_vs_own", AtMost(1.5, 1.1)),
    ("enumeration_vs_hash", AtMost(0.1, 0.05)),
    ("rows_5m_vs_10k", AtLeast(0.6, 0.8)),
    ("proxied_cpu_vs_nginx", AtMost(1.25, 1.0)),
    ("proxied_cpu_vs_auth_request", AtMost(0.70, 0.55)),
    ("proxied_cpu_vs_traefik", AtMost(0.5, 0.38)),
    ("proxied_cpu_vs_caddy", AtMost(0.4, 0.28)),
    ("gigabyte_cpu_vs_nginx", AtMost(0.8, 0.45)),
    ("decision_vs_healthz", AtLeast(0.80, 0.90)),
    ("decisions_per_second", AtLeast(60_000.0, 80_000.0)),
    ("decision_cpu_over_healthz_us", AtMost(5.0, 3.0)),
    ("decision_1000_apps_vs_1", AtLeast(0.95, 0.99)),
    ("writes_per_decision", AtMost(0.0, 0.0)),
    ("writes_per_first_visit", AtMost(3.0, 2.0)),
    ("decides_vs_static_nginx", AtLeast(0.75, 0.9)),
    ("decides_vs_static_caddy", AtLeast(0.75, 0.9)),
    ("decides_vs_static_traefik", AtLeast(0.75, 0.9)),
    ("decides_vs_static_haproxy", AtLeast(0.75, 0.9)),
    ("decides_vs_static_envoy", AtLeast(0.75, 0.9)),
    ("stream_end_loaded_p99_ms", AtMost(5.0, 2.0)),
    ("stream_end_three_p99_ms", AtMost(20.0, 5.0)),
    ("streams_alive_after_revocation", AtMost(0.0, 0.0)),
    ("other_streams_ended", AtMost(0.0, 0.0)),
    ("bytes_per_idle_event_stream", AtMost(20_480.0, 10_240.0)),
    ("bytes_per_idle_tunnel", AtMost(4096.0, 2048.0)),
    ("p99_beside_idle_streams", AtMost(1.3, 1.1)),
];

impl Target {
    pub fn of(key: &str) -> Option<Self> {
        TARGETS.iter().find(|(known, _)| *known == key).map(|(_, target)| *target)
    }

    /// The minimum, the goal, and whether `value` meets them: "≥ 0.85", "≥ 0.95", "reached".
    pub fn judge(self, value: f64) -> [String; 3] {
        let (sign, reach, then, holds): (_, _, _, fn(&f64, &f64) -> bool) = match self {
            AtLeast(reach, then) => ("≥", reach, then, f64::ge),
            AtMost(reach, then) => ("≤", reach, then, f64::le),
        };
        let met = match (holds(&value, &reach), holds(&value, &then)) {
            (_, true) => "both",
            (true, false) => "reached",
            (false, false) => "missed",
        };
        [format!("{sign} {reach}"), format!("{sign} {then}"), met.to_owned()]
    }
}
