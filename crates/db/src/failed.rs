//! How an operation fails: a refusal, which is an expected result, or a [`Fault`].

use crate::Fault;

/// Why an operation did not return its result.
///
/// A refusal is a value for the caller to show. In a transaction it is committed, because it may have counted an attempt
/// or written an event; a fault rolls the transaction back.
#[derive(Clone, Debug)]
pub enum Failed<R> {
    /// The operation was refused, for this reason.
    Refused(R),
    /// Something unexpected failed.
    Fault(Fault),
}

impl<R> From<Fault> for Failed<R> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<R> From<diesel::result::Error> for Failed<R> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// `Err` with a refusal.
///
/// # Errors
/// Always: [`Failed::Refused`].
pub fn refuse<T, R>(refusal: R) -> Result<T, Failed<R>> {
    Err(Failed::Refused(refusal))
}

/// Conversions between the representations of an operation that can refuse.
pub trait Refusable<T, R> {
    /// The refusal as a value, a fault as the error: for callers that show refusals and pass faults up.
    ///
    /// # Errors
    /// The fault.
    fn split(self) -> Result<Result<T, R>, Fault>;

    /// The same outcome, with the refusal of another operation.
    ///
    /// # Errors
    /// As `self`.
    fn map_refusal<S>(self, map: impl FnOnce(R) -> S) -> Result<T, Failed<S>>;
}

impl<T, R> Refusable<T, R> for Result<T, Failed<R>> {
    fn split(self) -> Result<Result<T, R>, Fault> {
        match self {
            Ok(value) => Ok(Ok(value)),
            Err(Failed::Refused(refusal)) => Ok(Err(refusal)),
            Err(Failed::Fault(fault)) => Err(fault),
        }
    }

    fn map_refusal<S>(self, map: impl FnOnce(R) -> S) -> Result<T, Failed<S>> {
        self.map_err(|failed| match failed {
            Failed::Refused(refusal) => Failed::Refused(map(refusal)),
            Failed::Fault(fault) => Failed::Fault(fault),
        })
    }
}

/// The opposite of [`Refusable::split`].
///
/// # Errors
/// A refusal as well as a fault.
pub fn join<T, R>(outcome: Result<Result<T, R>, Fault>) -> Result<T, Failed<R>> {
    outcome.map_err(Failed::Fault)?.map_err(Failed::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_and_joined_is_the_same() {
        let outcomes: [Result<u8, Failed<char>>; 3] =
            [Ok(1), refuse('n'), Err(Failed::Fault(Fault::Bug("broken".into())))];
        for outcome in outcomes {
            let again = join(outcome.clone().split());
            assert_eq!(format!("{again:?}"), format!("{outcome:?}"));
        }
        assert!(matches!(refuse::<u8, _>('n').map_refusal(u32::from), Err(Failed::Refused(110))));
    }
}
