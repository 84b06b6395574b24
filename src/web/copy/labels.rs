//! Names of values within a sentence or a list.

use crate::identity::LoginMethod;
use crate::passwords::Strength;

impl LoginMethod {
    /// For a sentence such as "Logged in with a password and a passkey".
    pub(in crate::web) const fn in_words(self) -> &'static str {
        match self {
            Self::Password => "a password",
            Self::Passkey => "a passkey",
            Self::PasswordAndTotp => "a password and an authenticator app",
            Self::PasswordAndRecoveryCode => "a password and a recovery code",
            Self::PasswordAndPasskey => "a password and a passkey",
        }
    }

    /// For a list.
    pub(in crate::web) const fn label(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Passkey => "Passkey",
            Self::PasswordAndTotp => "Password and authenticator app",
            Self::PasswordAndRecoveryCode => "Password and recovery code",
            Self::PasswordAndPasskey => "Password and passkey",
        }
    }
}

impl Strength {
    pub(in crate::web) const fn label(&self) -> &'static str {
        match self.score {
            0 => "Too easy to guess",
            1 => "Weak",
            2 => "Fair",
            3 => "Good",
            _ => "Strong",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_words_show_a_stored_name() {
        for method in LoginMethod::ALL {
            for words in [method.label(), method.in_words()] {
                assert!(!words.contains(['+', '-']) && !words.contains("totp"), "{words}");
            }
            assert_eq!(method.in_words().replace("a ", "").replace("an ", ""), method.label().to_lowercase());
        }
    }
}
