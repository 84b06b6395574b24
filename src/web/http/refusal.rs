//! Why requests are refused, as counted by `latchkey_refusals_total`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    LogIn,
    Confirm,
    Forbidden,
    ForeignForm,
    CrossSite,
    Throttled,
    Fault,
}

impl RefusalReason {
    /// In the order of their declaration, so that a reason is its own index.
    pub const ALL: [Self; 7] = [
        Self::LogIn,
        Self::Confirm,
        Self::Forbidden,
        Self::ForeignForm,
        Self::CrossSite,
        Self::Throttled,
        Self::Fault,
    ];

    /// Its label in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "log-in",
            Self::Confirm => "confirm",
            Self::Forbidden => "forbidden",
            Self::ForeignForm => "foreign-form",
            Self::CrossSite => "cross-site",
            Self::Throttled => "throttled",
            Self::Fault => "fault",
        }
    }
}
