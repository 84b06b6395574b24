//! How a user logged in, and the names under which that is stored.

/// How a user logged in. The stored names never change; newer versions may store other ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    Password,
    Passkey,
    PasswordAndTotp,
    PasswordAndRecoveryCode,
    PasswordAndPasskey,
}

impl LoginMethod {
    pub const ALL: [Self; 5] = [
        Self::Password,
        Self::Passkey,
        Self::PasswordAndTotp,
        Self::PasswordAndRecoveryCode,
        Self::PasswordAndPasskey,
    ];

    /// The name in the row of the session.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::PasswordAndTotp => "password+totp",
            Self::PasswordAndRecoveryCode => "password+recovery-code",
            Self::PasswordAndPasskey => "password+passkey",
        }
    }

    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.as_str() == stored)
    }

    /// The detail of a confirmation in the audit trail. The password is implied, because a confirmation takes the same proof as
    /// a log-in.
    pub const fn confirmed_with(self) -> &'static str {
        match self {
            Self::Password => "",
            Self::Passkey | Self::PasswordAndPasskey => "passkey",
            Self::PasswordAndTotp => "totp",
            Self::PasswordAndRecoveryCode => "recovery-code",
        }
    }

    /// Reads the detail of a confirmation.
    pub fn parse_confirmed(detail: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.confirmed_with() == detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_factor_is_read_as_it_is_stored_and_nothing_else_is_one() {
        for factor in LoginMethod::ALL {
            assert_eq!(LoginMethod::parse(factor.as_str()), Some(factor));
        }
        for other in ["", "Password", "password+", "totp", "external", "password+totp+passkey"] {
            assert_eq!(LoginMethod::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_confirmation_names_what_came_besides_the_password() {
        for (detail, factor) in [
            ("", LoginMethod::Password),
            ("passkey", LoginMethod::Passkey),
            ("totp", LoginMethod::PasswordAndTotp),
            ("recovery-code", LoginMethod::PasswordAndRecoveryCode),
        ] {
            assert_eq!(LoginMethod::parse_confirmed(detail), Some(factor));
            assert_eq!(factor.confirmed_with(), detail);
        }
        assert_eq!(LoginMethod::parse_confirmed("retina"), None);
    }
}
