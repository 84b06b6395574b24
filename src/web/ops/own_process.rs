//! Metrics of this process, under the names that every Prometheus client library uses. Read from `/proc`; missing on
//! systems without it.

use std::fs;

use prometheus_client::metrics::MetricType;

/// The kernel reports times to programs in hundredths of a second on every machine (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Name, kind, help text and value of a metric.
pub type ProcessMetric = (&'static str, MetricType, &'static str, f64);

pub fn process_metrics() -> Vec<ProcessMetric> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|all| number_after(&all, "btime "));
    let memory = fs::read_to_string("/proc/self/status").ok();
    let memory = memory.and_then(|all| number_after(&all, "VmRSS:")).map(|kib| kib * 1024.0);
    let limits = fs::read_to_string("/proc/self/limits").ok();
    let most_files = limits.and_then(|all| number_after(&all, "Max open files "));
    // One of the entries is this directory itself, which is open while it is read.
    let files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as f64);
    let (cpu, begun) = times(&stat).unzip();
    let begun = booted.zip(begun).map(|(booted, begun)| booted + begun);
    [
        ("process_cpu_seconds_total", MetricType::Counter, "Processor time used by this process.", cpu),
        ("process_resident_memory_bytes", MetricType::Gauge, "Resident memory of this process.", memory),
        ("process_open_fds", MetricType::Gauge, "Open files and connections.", files),
        ("process_max_fds", MetricType::Gauge, "Most files and connections that can be open.", most_files),
        (
            "process_start_time_seconds",
            MetricType::Gauge,
            "Start time of this process, in seconds since 1970.",
            begun,
        ),
    ]
    .into_iter()
    .filter_map(|(name, kind, help, value)| Some((name, kind, help, value?)))
    .collect()
}

/// CPU seconds, and seconds from the boot of the machine to the start of the process (proc_pid_stat(5), fields 14, 15
/// and 22).
fn times(stat: &str) -> Option<(f64, f64)> {
    // The second field is a name in parentheses, which may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let field = |number: usize| rest.split(' ').nth(number - 3)?.parse::<f64>().ok();
    Some(((field(14)? + field(15)?) / TICKS, field(22)? / TICKS))
}

/// The number in the line that begins with `words`.
fn number_after(text: &str, words: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(words))?;
    // `unlimited` is not a number.
    line.split_whitespace().next()?.parse::<u64>().ok().map(|number| number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000 200";
        assert_eq!(times(stat), Some((3.0, 123.45)));
        assert_eq!(times("7 (cut off"), None);
        assert_eq!(times(""), None);
    }

    #[test]
    fn what_is_no_number_is_not_told() {
        let limits = "Max cpu time              unlimited            unlimited            seconds\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(number_after(limits, "Max open files "), Some(1024.0));
        assert_eq!(number_after(limits, "Max cpu time "), None);
        assert_eq!(number_after(limits, "VmRSS:"), None);
    }
}
