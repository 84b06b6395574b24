//! The reasons to refuse a new password.

/// Why a new password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakPassword {
    /// Fewer code points than the minimum.
    TooShort {
        /// Code points it has.
        have: usize,
        /// Code points it needs.
        min: usize,
    },
    /// More code points than the maximum.
    TooLong {
        /// Code points it may have.
        max: usize,
    },
    /// More bytes than the maximum.
    TooManyBytes {
        /// Bytes it may have, in NFC.
        max: usize,
    },
    /// On the list of leaked and common passwords (ASVS 5.0 6.2.4, 6.2.12).
    Listed,
    /// A repeated unit that is too short to be a password.
    Repeats,
    /// A keyboard walk, or a sequence of letters or digits.
    Pattern,
    /// A listed word with digits or signs around it.
    PaddedWord,
    /// Made of personal words (ASVS 5.0 6.1.2, 6.2.11).
    AboutYou,
}
