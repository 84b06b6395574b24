//! What came of it, for people and for programs.

use std::fmt::{self, Display, Formatter};
use std::time::Instant;

use serde_json::{Value, json};

use super::flood::Counts;
use super::people::Session;

#[derive(Default)]
pub struct Report {
    instances: usize,
    connections: usize,
    pub seconds: f64,
    /// Forms that were answered too late or with "come back".
    pub unanswered: u64,
    /// Milliseconds since the form was sent, one for each session that was ended.
    answered: Vec<f64>,
    refused_here: Vec<f64>,
    /// At the last of the other instances.
    refused_elsewhere: Vec<f64>,
    requests: u64,
    begun_after_answer: u64,
    served_after_answer: u64,
    refused_while_live: u64,
    failed: u64,
}

impl Report {
    pub fn new(instances: usize, visitors: usize) -> Self {
        Self { instances, connections: instances * visitors, ..Self::default() }
    }

    /// `refused`: when each instance, of which `here` ended it, first told somebody no.
    pub fn ended(&mut self, session: &Session, here: usize, refused: impl Iterator<Item = Instant>) {
        let (Some(sent), Some(answered)) = (session.sent.get(), session.answered.get()) else { return };
        let since = |moment: Instant| moment.duration_since(sent).as_secs_f64() * 1000.0;
        self.answered.push(since(answered));
        let refused: Vec<f64> = refused.map(since).collect();
        // Whoever went on serving has no such moment, and is told of below.
        if refused.len() == self.instances {
            self.refused_here.push(refused[here]);
            let others = refused.iter().enumerate().filter(|(instance, _)| *instance != here);
            self.refused_elsewhere.extend(others.map(|(_, taken)| *taken).reduce(f64::max));
        }
    }

    pub fn close(&mut self, counts: &Counts) {
        self.requests = counts.requests.get();
        self.begun_after_answer = counts.begun_after_answer.get();
        self.served_after_answer = counts.served_after_answer.get();
        self.refused_while_live = counts.refused_while_live.get();
        self.failed = counts.failed.get();
    }

    /// What is wrong, in one line.
    pub fn verdict(&self) -> Option<String> {
        if self.served_after_answer > 0 {
            let Self { served_after_answer: late, begun_after_answer: begun, .. } = self;
            return Some(format!(
                "{late} of {begun} requests were served that began after the end was answered"
            ));
        }
        if self.refused_while_live > 0 {
            return Some(format!("{} requests of live sessions were refused", self.refused_while_live));
        }
        (self.answered.is_empty() || self.begun_after_answer == 0)
            .then(|| "nothing was proven: no session was ended in that time".to_owned())
    }

    pub fn json(&self) -> Value {
        let times = |taken: &[f64]| {
            let [p50, p99, max] = marks(taken)?;
            Some(json!({ "p50": p50, "p99": p99, "max": max }))
        };
        json!({
            "instances": self.instances,
            "connections": self.connections,
            "seconds": rounded(self.seconds),
            "revocations": self.answered.len(),
            "answered_ms": times(&self.answered),
            "refused_here_ms": times(&self.refused_here),
            "refused_elsewhere_ms": times(&self.refused_elsewhere),
            "requests": self.requests,
            "begun_after_answer": self.begun_after_answer,
            "served_after_answer": self.served_after_answer,
            "refused_while_live": self.refused_while_live,
            "failed": self.failed,
            "unanswered": self.unanswered,
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { instances, connections, seconds, requests, .. } = self;
        let ended = self.answered.len();
        writeln!(f, "{instances} instances on one database, {connections} connections asking for /home.")?;
        writeln!(f, "{ended} sessions ended in {seconds:.1} s, each at one instance, by the form for it.\n")?;
        writeln!(f, "{:<50}{:>9}{:>9}{:>9}", "milliseconds since the form was sent", "p50", "p99", "max")?;
        for (what, taken) in [
            ("its answer is here", &self.answered),
            ("first refusal at that instance", &self.refused_here),
            ("first refusal at the last of the others", &self.refused_elsewhere),
        ] {
            if let Some([p50, p99, max]) = marks(taken) {
                writeln!(f, "{what:<50}{p50:>9.2}{p99:>9.2}{max:>9.2}")?;
            }
        }
        writeln!(f)?;
        for (what, number) in [
            ("requests", *requests),
            ("begun after the answer", self.begun_after_answer),
            ("of those served (must be 0)", self.served_after_answer),
            ("refused while the session lived (must be 0)", self.refused_while_live),
            ("neither served nor refused", self.failed),
            ("forms that were not answered in time", self.unanswered),
        ] {
            writeln!(f, "{what:<50}{number:>9}")?;
        }
        write!(
            f,
            "\n{}",
            if self.verdict().is_none() { "Revoked means revoked." } else { "It does not hold." }
        )
    }
}

/// The median, the 99th percentile and the most.
fn marks(taken: &[f64]) -> Option<[f64; 3]> {
    let mut sorted = taken.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    // The smallest that so many hundredths do not exceed.
    let at = |hundredths: usize| rounded(sorted[(sorted.len() * hundredths).div_ceil(100) - 1]);
    Some([at(50), at(99), rounded(sorted[last])])
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_of_what_was_measured() {
        let taken: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(marks(&taken), Some([100.0, 198.0, 200.0]));
        assert_eq!(marks(&[1.234]), Some([1.23, 1.23, 1.23]));
        assert_eq!(marks(&[]), None);
    }

    #[test]
    fn what_proves_nothing_is_no_proof() {
        let good = Report { answered: vec![1.0], begun_after_answer: 1, ..Report::default() };
        assert_eq!(good.verdict(), None);
        let late = Report { served_after_answer: 1, ..good };
        assert!(late.verdict().is_some_and(|why| why.starts_with("1 of 1 requests")));
        let everybody = Report { served_after_answer: 0, refused_while_live: 2, ..late };
        assert!(everybody.verdict().is_some());
        assert!(Report::default().verdict().is_some());
    }
}
