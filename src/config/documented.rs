//! Declares a group of settings: a struct whose comments are also data, so that `docs/settings.md` is generated from the
//! declarations that the program reads. A line `Default: …` describes a default that depends on the machine or the mode.

macro_rules! documented {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $line:literal])*
                $(#[serde($($serde:tt)*)])?
                $field_visibility:vis $field:ident: $kind:ty,
            )*
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $( $(#[doc = $line])* $(#[serde($($serde)*)])? $field_visibility $field: $kind, )*
        }

        impl $name {
            /// The name and the comment of each setting in this group.
            pub(in crate::config) const ABOUT: &[(&'static str, &'static [&'static str])] =
                &[$((stringify!($field), &[$($line),*])),*];
        }
    };
}

pub(super) use documented;
