//! The reasons to refuse a new password.

use std::fmt;

/// Why a new password was refused. `Display` tells the user the reason and what to do (NIST SP 800-63B-4 §3.1.1.2: the
/// reason and guidance SHALL be given).
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

impl fmt::Display for WeakPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { have: 0, min } => write!(f, "Choose a password of at least {min} characters."),
            Self::TooShort { have, min } => {
                write!(f, "Too short: {have} of at least {min} characters. Add another word or two.")
            }
            Self::TooLong { max } => write!(f, "Too long: use at most {max} characters."),
            Self::TooManyBytes { max } => {
                write!(f, "Too long: use at most {max} bytes. An emoji takes four or more.")
            }
            Self::Listed => f.write_str(
                "This password is on lists of leaked passwords. Choose four or more words that you pick at random.",
            ),
            Self::Repeats => f.write_str("This repeats the same few characters. Use different words instead."),
            Self::Pattern => f.write_str(
                "This follows the order of the keyboard, the alphabet or numbers. Use unrelated words instead.",
            ),
            Self::PaddedWord => f.write_str(
                "This is one common word with numbers or signs around it. Add words that have nothing to do with it.",
            ),
            Self::AboutYou => f.write_str(
                "This is made of your name, your address or the name of this site. Add words that have nothing to do with you.",
            ),
        }
    }
}

impl std::error::Error for WeakPassword {}
