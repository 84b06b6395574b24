//! The choices of an app and its rules, with the texts under which they are stored and written.

macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the database, in files and on the command line. It never changes.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }
        }
    )+};
}

choices! {
    /// How requests reach the app.
    #[derive(Default)]
    AppMode {
        /// Latchkey is the app's reverse proxy.
        #[default]
        Proxy = "proxy",
        /// Another proxy asks Latchkey about each request.
        ForwardAuth = "forward-auth",
    }

    /// The content of the identity header `user`.
    #[derive(Default)]
    RemoteUser {
        #[default]
        Id = "id",
        Email = "email",
    }

    /// How much a refused user learns about the reason.
    #[derive(Default)]
    Explain {
        Off = "off",
        /// The kind of the reason, without the names of groups.
        #[default]
        Reason = "reason",
        Groups = "groups",
    }

    /// The `Host` header that the upstream receives.
    #[derive(Default)]
    UpstreamHost {
        /// The host of the request.
        #[default]
        Kept = "kept",
        Upstream = "upstream",
    }

    /// Where an app is managed.
    #[derive(Default)]
    AppSource {
        #[default]
        Pages = "pages",
        /// In a file; pages only show the app.
        File = "file",
    }

    /// How the user must have logged in.
    #[derive(Default)]
    RequiredFactor {
        #[default]
        Any = "any",
        /// A second factor, or a passkey.
        Two = "two",
        Passkey = "passkey",
    }

    /// A proxy for which Latchkey writes a configuration.
    ProxyKind {
        Nginx = "nginx",
        Caddy = "caddy",
        Traefik = "traefik",
        Haproxy = "haproxy",
        Envoy = "envoy",
    }
}
