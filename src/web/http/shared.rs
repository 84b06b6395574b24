//! What all requests of this process share: the domain's services, the settings that pages need, counters, and the
//! names of the cookies.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, CookieBuilder};
use actix_web::web::{Bytes, Data};

use super::request_counts::RequestCounts;
use super::{cookies, headers};
use crate::accounts::Accounts;
use crate::apps::ProxyOptions;
use crate::config::{Origin, SessionLimits, Settings, Span, Switch, Transport};
use crate::db::Fault;
use crate::lab::Lab;
use crate::secret::{CookieSigner, Secret};

pub struct Shared {
    pub accounts: Accounts,
    /// `None` if `LATCHKEY__COMPARE` is off.
    pub lab: Option<Lab>,
    pub public: Origin,
    /// Host and port of the portal, as browsers send them.
    pub(in crate::web) authority: String,
    /// Whether this instance may pass requests on to apps: without an invalidation listener, it would keep passing
    /// requests on after their session has ended.
    pub(in crate::web) can_proxy: bool,
    /// Host and port of the decision listener, for the configurations of other proxies.
    pub(in crate::web) decision_listener: String,
    pub limits: SessionLimits,
    pub trusted_hops: usize,
    /// Local mode: the mailbox and the gallery of form parts exist.
    pub local: bool,
    pub(crate) secret: Secret,
    pub(in crate::web) requests: RequestCounts,
    /// The description of the API (OpenAPI), as JSON.
    pub(in crate::web) openapi: Bytes,
    pub(in crate::web) hsts: Option<&'static str>,
    pub(in crate::web) known_for: Span,
    pub(in crate::web) verify_for: Span,
    /// Whether the log has already warned about a proxy that the settings do not mention.
    pub(in crate::web) proxy_noticed: AtomicBool,
    /// Local mode: forms may come from any host name of this machine.
    pub(in crate::web) any_local_name: bool,
    pub(in crate::web) signer: CookieSigner,
    pub(in crate::web) cookie: CookieNames,
}

/// Names of the cookies: with the `__Host-` prefix if the origin allows it (RFC 6265bis §4.1.3.2).
pub struct CookieNames {
    pub session: String,
    /// Binds form tokens to a browser without a session.
    pub form: String,
    /// The name of the message for the next page.
    pub flash: String,
    /// The known-device cookie: selects the counter of failed attempts. Not a credential.
    pub browser: String,
    /// The token of a mailed link, between the redirect and the form.
    pub link: String,
    /// Recognizes the browser that began a registration. Not a credential.
    pub registration: String,
    pub lab: LabCookies,
}

/// The names of the lab's cookies, which are sent only to `/compare` and the paths below it.
pub struct LabCookies {
    /// The key of the run.
    pub run: String,
    pub session: String,
    pub access: String,
    pub refresh: String,
    /// The thief's copy of these three.
    pub copy: String,
}

impl LabCookies {
    /// With `__Host-` they would be sent to every page (RFC 6265bis §4.1.3.1).
    fn new(secure: bool) -> Self {
        let named = |name| format!("{}latchkey-lab-{name}", if secure { "__Secure-" } else { "" });
        Self {
            run: named("run"),
            session: named("session"),
            access: named("access"),
            refresh: named("refresh"),
            copy: named("copy"),
        }
    }
}

impl Shared {
    /// The value that every worker was given.
    ///
    /// # Errors
    /// A bug: the application was built without it.
    pub(in crate::web) fn of(request: &HttpRequest) -> Result<&Data<Self>, Fault> {
        request.app_data::<Data<Self>>().ok_or_else(|| Fault::Bug("no shared state".into()))
    }

    /// * `openapi`: the description of the API, as JSON.
    pub(in crate::web) fn with(
        accounts: Accounts,
        settings: &Settings,
        requests: RequestCounts,
        openapi: String,
    ) -> Self {
        let prefix = if settings.server.public.is_secure() { "__Host-" } else { "" };
        let lab =
            (settings.compare == Switch::On).then(|| Lab::new(accounts.sessions(), settings.secret.clone()));
        Self {
            accounts,
            lab,
            requests,
            openapi: openapi.into(),
            public: settings.server.public.clone(),
            authority: settings.server.public.authority().to_owned(),
            can_proxy: settings.sessions.cached > 0,
            decision_listener: ProxyOptions::listener_of(settings),
            limits: settings.sessions,
            trusted_hops: settings.server.trusted_hops,
            hsts: headers::hsts(&settings.server),
            known_for: settings.throttle.known_for,
            verify_for: settings.tokens.verify_for,
            proxy_noticed: AtomicBool::new(settings.is_local() || settings.server.trusted_hops > 0),
            local: settings.is_local()
                && settings.mail.transport == Transport::Mailbox
                && settings.server.public.is_loopback(),
            any_local_name: settings.is_local() && settings.server.public.is_loopback(),
            signer: CookieSigner::new(&settings.secret),
            secret: settings.secret.clone(),
            cookie: CookieNames {
                session: format!("{prefix}latchkey"),
                form: format!("{prefix}latchkey-form"),
                flash: format!("{prefix}latchkey-flash"),
                browser: format!("{prefix}latchkey-browser"),
                link: format!("{prefix}latchkey-link"),
                registration: format!("{prefix}latchkey-registration"),
                lab: LabCookies::new(settings.server.public.is_secure()),
            },
        }
    }

    /// See [`cookies::for_host`].
    pub(in crate::web) fn cookie(&self, name: &str, value: String) -> CookieBuilder<'static> {
        cookies::for_host(name.to_owned(), value, self.public.is_secure())
    }

    /// How long the browser keeps the key of a session, or an app key; `None`: until it closes.
    pub(in crate::web) fn keep_for(&self, remember: bool) -> Option<Duration> {
        remember.then(|| self.accounts.sessions().policy().absolute(true))
    }

    /// Removes one of our cookies from the browser.
    pub(in crate::web) fn removal(&self, name: &str) -> Cookie<'static> {
        let mut cookie = self.cookie(name, String::new()).finish();
        cookie.make_removal();
        cookie
    }
}
