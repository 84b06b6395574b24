//! HTTP: everything a request passes through, and the pages. Composition root of the server.

mod http;
pub mod ops;
mod pages;
pub mod routes;
pub mod session;
#[cfg(feature = "yardstick")]
mod yardstick;

use std::io;
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_identity::IdentityMiddleware;
use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity, TtlExtensionPolicy};
use actix_web::body::MessageBody;
use actix_web::cookie::{Key, SameSite};
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::guard::Not;
use actix_web::middleware::from_fn;
use actix_web::{App, web};

use crate::accounts::Accounts;
use crate::config::{
    Origin, SessionLimits, Settings, Span, Switch, Transport, blocking_threads, connections_of,
};
use crate::lab::Lab;
use crate::secret::{CookieSigner, Secret};

use http::request_counts::Requests;
use http::{assets, error, headers, origin_check, request_layer, server};
use ops::{doctor, health};
use routes::Served;
use session::{current_session, with_session};

/// What handlers share.
pub struct Shared {
    pub accounts: Accounts,
    /// `None` if `LATCHKEY__COMPARE` is off.
    pub lab: Option<Lab>,
    requests: Requests,
    pub public: Origin,
    pub limits: SessionLimits,
    pub trusted_hops: usize,
    hsts: Option<&'static str>,
    known_for: Span,
    verify_for: Span,
    /// Somebody stands in front who is not in the settings: said once.
    proxy_noticed: AtomicBool,
    /// Local mode: the mailbox and the parts page are there.
    pub local: bool,
    /// Local mode: forms may come from any name of this machine.
    any_local_name: bool,
    pub(crate) secret: Secret,
    signer: CookieSigner,
    cookie: CookieNames,
}

/// Names of the cookies we set: with the `__Host-` prefix wherever browsers allow it (RFC 6265bis §4.1.3.2).
struct CookieNames {
    session: String,
    /// Binds the token of a form to a browser that has no session.
    form: String,
    /// One word for the next page to say.
    flash: String,
    /// Chooses the lane for wrong passwords; opens nothing.
    browser: String,
    /// The token of a mailed link, on its way from the address to the form.
    link: String,
    /// Recognises the browser that began a registration; opens nothing.
    registration: String,
    lab: LabCookies,
}

/// The names of the lab's cookies, which are sent to `/compare` and the paths below it only.
struct LabCookies {
    /// The key of the run.
    run: String,
    session: String,
    access: String,
    refresh: String,
    /// The thief's copy of those three.
    copy: String,
}

impl LabCookies {
    /// `__Host-` would send them to every page (RFC 6265bis §4.1.3.1).
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
    pub fn new(accounts: Accounts, settings: &Settings) -> Self {
        let prefix = if settings.server.public.is_secure() { "__Host-" } else { "" };
        let lab = (settings.compare == Switch::On)
            .then(|| Lab::new(accounts.db().clone(), settings.secret.clone()));
        Self {
            accounts,
            lab,
            requests: Requests::default(),
            public: settings.server.public.clone(),
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
}

/// The whole application, for one worker. Outermost first: the front (request id, log, error pages, headers),
/// the origin check, then only around what needs it: who is visiting for pages, session and identity for forms.
pub fn app(
    shared: web::Data<Shared>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let sessions = SessionMiddleware::builder(
        shared.accounts.sessions().clone(),
        Key::from(&shared.secret.cookie_key()),
    )
    .cookie_name(shared.cookie.session.clone())
    .cookie_secure(shared.public.is_secure())
    .cookie_http_only(true)
    .cookie_same_site(SameSite::Lax)
    .cookie_path("/".into())
    .cookie_content_security(CookieContentSecurity::Signed)
    .session_lifecycle(
        // Until the browser closes; `outward` lengthens it for those who asked to be kept.
        BrowserSession::default().state_ttl_extension_policy(TtlExtensionPolicy::OnStateChanges),
    )
    .build();
    let served = Served { local: shared.local, compare: shared.lab.is_some() };
    // A page is read by whoever the cookie names; a form may also change their session.
    let forms = web::scope("")
        .guard(Not(routes::is_reading()))
        .wrap(IdentityMiddleware::default())
        .wrap(sessions)
        .wrap(from_fn(current_session::outward))
        .configure(|scope| routes::mount_forms(scope, served))
        .default_service(web::to(error::not_found));
    let app = App::new()
        .app_data(shared)
        .wrap(from_fn(origin_check::check))
        .wrap(from_fn(request_layer::door))
        .configure(health::mount)
        .configure(doctor::mount);
    #[cfg(feature = "yardstick")]
    let app = app.configure(yardstick::mount);
    app.configure(|app| routes::mount_pages(app, served))
        .configure(assets::mount)
        .service(forms)
        .default_service(web::route().service(with_session::before(error::not_found)))
}

/// Serves on `listener` until told to stop; then finishes what is running.
pub fn serve(listener: TcpListener, shared: web::Data<Shared>, settings: &Settings) -> io::Result<Server> {
    let workers = settings.server.workers;
    let sizes = server::Sizes {
        workers,
        blocking_threads: blocking_threads(settings.pool.pool_size, workers),
        connections_per_worker: connections_of(workers),
        finish_within: Duration::from_secs(25),
    };
    server::serve(listener, &sizes, move || app(shared.clone()))
}
