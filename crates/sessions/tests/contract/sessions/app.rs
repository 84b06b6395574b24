//! A small application around the store, built as the crate's documentation describes, and a browser for it.

use std::rc::Rc;
use std::sync::Arc;

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::config::CookieContentSecurity;
use actix_session::{Session, SessionMiddleware};
use actix_web::body::{MessageBody, to_bytes};
use actix_web::cookie::{Cookie, Key};
use actix_web::dev::{Service as _, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, HttpMessage as _, HttpRequest, HttpResponse, web};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join};
use latchkey_db::Fault;
use latchkey_sessions::{NewSession, Principal, Store, request};
use tokio::sync::Notify;

use super::room::{IDENTITY, Room, login};

/// What a request does after its session was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Look,
    /// Stores a value in the session's state.
    Put,
    /// As actix-identity documents it: the store's `save` opens the session.
    LogIn(Principal),
    /// As Latchkey does it: the session is opened in the application's transaction, and its key is handed over.
    Open(Principal),
    /// The same, remembered by the browser.
    OpenRemembered(Principal),
    Rotate,
    /// Rotates, and marks the session with `renew` instead of with a change.
    RotateAndRenew,
    Renew,
    LogOut,
    Clear,
    /// Answers with the handle of the request's session.
    Handle,
}

/// The response to a browser.
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// The cookie that it sets or removes.
    pub cookie: Option<Cookie<'static>>,
}

impl Answer {
    /// The key in the cookie, without the signature before it.
    pub fn key(&self) -> String {
        self.cookie.as_ref().unwrap().value()[44..].to_owned()
    }
}

type Send = Box<dyn Fn(Act, Option<Cookie<'static>>, bool) -> LocalBoxFuture<'static, Answer>>;

/// The application, as seen from outside.
pub struct Site {
    send: Send,
    gate: Arc<Gate>,
}

/// Pauses a request after its session was loaded and before it acts.
#[derive(Default)]
struct Gate {
    arrived: Notify,
    open: Notify,
}

struct StopsAtTheGate;

#[derive(Clone)]
struct Inside {
    sessions: Store,
    gate: Arc<Gate>,
}

impl Site {
    pub async fn of(room: &Room) -> Self {
        Self::new(&room.sessions).await
    }

    pub async fn new(sessions: &Store) -> Self {
        let gate = Arc::<Gate>::default();
        let inside = Inside { sessions: sessions.clone(), gate: Arc::clone(&gate) };
        let middleware = SessionMiddleware::builder(sessions.clone(), Key::from(&[7; 64]))
            .cookie_content_security(CookieContentSecurity::Signed)
            .build();
        let app = App::new()
            .app_data(web::Data::new(inside))
            .default_service(web::to(handle))
            .wrap(IdentityMiddleware::default())
            .wrap(middleware)
            .wrap(from_fn(tell_faults))
            .wrap(from_fn(request::middleware));
        let app = Rc::new(init_service(app).await);
        let send = move |act: Act, cookie: Option<Cookie<'static>>, stops: bool| {
            let app = Rc::clone(&app);
            async move {
                let request = cookie
                    .map_or_else(TestRequest::default, |cookie| TestRequest::default().cookie(cookie))
                    .to_request();
                request.extensions_mut().insert(act);
                if stops {
                    request.extensions_mut().insert(StopsAtTheGate);
                }
                answer(app.call(request).await).await
            }
            .boxed_local()
        };
        Self { send: Box::new(send), gate }
    }

    pub async fn send(&self, act: Act, cookie: Option<&Cookie<'static>>) -> Answer {
        (self.send)(act, cookie.cloned(), false).await
    }

    /// Logs in and answers with the cookie.
    pub async fn log_in(&self, who: Principal) -> Cookie<'static> {
        self.send(Act::Open(who), None).await.cookie.unwrap()
    }

    /// The principal that the application recognises by this cookie.
    pub async fn who(&self, cookie: &Cookie<'static>) -> String {
        self.send(Act::Look, Some(cookie)).await.body
    }

    /// A request that loads its session before `meanwhile` runs and acts afterwards.
    pub async fn send_while(
        &self,
        act: Act,
        cookie: &Cookie<'static>,
        meanwhile: impl AsyncFnOnce(),
    ) -> Answer {
        let between = async {
            self.gate.arrived.notified().await;
            meanwhile().await;
            self.gate.open.notify_one();
        };
        join((self.send)(act, Some(cookie.clone()), true), between).await.0
    }
}

async fn answer<B: MessageBody>(result: Result<ServiceResponse<B>, Error>) -> Answer {
    match result {
        Ok(response) => {
            let cookie = response.response().cookies().next().map(Cookie::into_owned);
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body()).await.unwrap_or_default();
            Answer { status, body: String::from_utf8_lossy(&body).into_owned(), cookie }
        }
        Err(error) => {
            Answer { status: error.error_response().status().as_u16(), body: String::new(), cookie: None }
        }
    }
}

/// actix-session always answers 500; the fault behind it decides.
async fn tell_faults<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    next.call(request).await.map_err(|error| match request::take_fault() {
        Some(Fault::Unavailable(_)) => {
            InternalError::from_response(error, HttpResponse::ServiceUnavailable().finish()).into()
        }
        _ => error,
    })
}

async fn handle(http: HttpRequest, session: Session, inside: web::Data<Inside>) -> Result<String, Error> {
    let act = *http.extensions().get::<Act>().unwrap();
    let stops = http.extensions().contains::<StopsAtTheGate>();
    if stops {
        inside.gate.arrived.notify_one();
        inside.gate.open.notified().await;
    }
    match act {
        Act::Look => {}
        Act::Put => session.insert("word", "put")?,
        Act::LogIn(who) => {
            Identity::login(&http.extensions(), who.to_string())
                .map_err(actix_web::error::ErrorInternalServerError)?;
        }
        Act::Open(who) => open(&inside, &http, who, false).await?,
        Act::OpenRemembered(who) => open(&inside, &http, who, true).await?,
        Act::Rotate => {
            if !rotate(&inside).await? {
                return Ok("lost".into());
            }
            session.insert("word", "rotated")?;
        }
        Act::RotateAndRenew => {
            if !rotate(&inside).await? {
                return Ok("lost".into());
            }
            session.insert("word", "rotated")?;
            session.renew();
        }
        Act::Renew => session.renew(),
        Act::LogOut => session.purge(),
        Act::Clear => session.clear(),
        Act::Handle => {
            return Ok(
                request::loaded::<()>().map_or_else(String::new, |live| live.record.handle.to_string())
            );
        }
    }
    let who = session.get::<String>(IDENTITY)?.unwrap_or_default();
    let word = session.get::<String>("word")?.unwrap_or_default();
    let keep_for = request::key_lifetime().map_or_else(String::new, |time| time.as_secs().to_string());
    Ok(format!("{who} {word} {keep_for}").trim_end().to_owned())
}

async fn open(inside: &Inside, http: &HttpRequest, who: Principal, remember: bool) -> Result<(), Error> {
    let (sessions, keep_for) =
        (inside.sessions.clone(), remember.then(|| inside.sessions.policy().absolute(true)));
    let login = NewSession { remember, ..login(who) };
    let (key, _) = inside
        .sessions
        .write(move |change| sessions.open(change, &login))
        .await
        .map_err(actix_web::error::ErrorServiceUnavailable)?;
    request::issue_key(key, keep_for);
    Identity::login(&http.extensions(), who.to_string())
        .map_err(actix_web::error::ErrorInternalServerError)?;
    Ok(())
}

async fn rotate(inside: &Inside) -> Result<bool, Error> {
    let Some(live) = request::loaded::<()>() else { return Ok(false) };
    let (sessions, keep_for) = (inside.sessions.clone(), request::key_lifetime());
    let key = inside
        .sessions
        .write(move |change| sessions.rotate(change, &live, true))
        .await
        .map_err(actix_web::error::ErrorServiceUnavailable)?;
    Ok(key.map(|key| request::issue_key(key, keep_for)).is_some())
}
