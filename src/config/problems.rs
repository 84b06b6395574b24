//! Errors in the settings, in one line that names every setting to change.

use std::fmt;

/// All problems with the settings, in one line for the operator.
#[derive(Debug)]
pub struct Misconfigured(Vec<String>);

impl Misconfigured {
    pub fn new(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.0.as_slice() {
            return write!(f, "settings: {problem}");
        }
        write!(f, "settings: {} problems:", self.0.len())?;
        for (number, problem) in (1..).zip(&self.0) {
            write!(f, " ({number}) {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Misconfigured {}

/// Collects problems, so that the operator sees all of them at once.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    pub fn add(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Returns the value of a result, or adds its problem.
    pub fn value_of<T>(&mut self, result: Result<T, Misconfigured>) -> Option<T> {
        result.map_err(|wrong| wrong.0.into_iter().for_each(|problem| self.add(problem))).ok()
    }

    /// # Errors
    /// If there is a problem.
    pub fn check(self) -> Result<(), Misconfigured> {
        if self.0.is_empty() { Ok(()) } else { Err(Misconfigured(self.0)) }
    }
}
