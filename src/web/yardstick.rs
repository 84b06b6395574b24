//! The pages that `bin/bench` compares `/home` with: the same page without a check, and behind a JWT. They are outside
//! of sessions and behind the same request layer. Only in builds with the feature `yardstick`; they expose no data.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use smol_str::SmolStr;
use time::OffsetDateTime;
use uuid::Uuid;

use super::api::MeOut;
use super::pages::home;
use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::LoginMethod;
use crate::lab::jwt;
use crate::secret;
use crate::web::http::assets;
use crate::web::http::error::Error;
use crate::web::http::methods::read_only;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{Page, Person};
use latchkey_sessions::{Handle, LoginDetails, Principal, SessionRecord, SessionState, Use};

/// The cookie that carries the token.
const COOKIE: &str = "yardstick";

/// As long as an unused session.
const LIFE: Duration = Duration::from_secs(86_400);

const SECRET: [u8; 32] = *b"public: it guards nothing at all";

/// The first test vector of RFC 8032, in PKCS #8 and bare.
const PRIVATE_KEY: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d,
    0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
    0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC_KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

pub fn mount(config: &mut ServiceConfig) {
    config
        .app_data(Data::new(Prepared::new()))
        .service(read_only("/yardstick/api/token", api_token))
        .service(read_only("/yardstick/api/hs256", api_hs256))
        .service(read_only("/yardstick/tokens", tokens))
        .service(read_only("/yardstick/eddsa", eddsa))
        .service(read_only("/yardstick/hs256", hs256))
        // Paths are tried in this order, so this one is next to the page it is compared with.
        .service(read_only("/yardstick/open", open));
}

/// Prepared once, as the documentation of `jsonwebtoken` advises.
struct Prepared {
    hs256: (DecodingKey, Validation),
    eddsa: (DecodingKey, Validation),
    /// The content of the open page.
    claims: YardstickClaims,
    record: SessionRecord,
}

impl Prepared {
    fn new() -> Self {
        jwt::install();
        let claims = YardstickClaims::example();
        Self {
            hs256: (DecodingKey::from_secret(&SECRET), Validation::new(Algorithm::HS256)),
            eddsa: (DecodingKey::from_ed_der(&PUBLIC_KEY), Validation::new(Algorithm::EdDSA)),
            record: claims.clone().into_record(),
            claims,
        }
    }
}

/// Everything the page shows.
#[derive(Clone, Serialize, Deserialize)]
struct YardstickClaims {
    sub: Uuid,
    exp: i64,
    name: SmolStr,
    is_admin: bool,
    csrf: String,
    others: u32,
    handle: Uuid,
    remember: bool,
    factor: SmolStr,
    address: SmolStr,
    user_agent: SmolStr,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
}

impl YardstickClaims {
    /// A user who has just logged in.
    fn example() -> Self {
        let now = OffsetDateTime::now_utc();
        let created_at = Moment::from(now);
        Self {
            sub: Uuid::new_v4(),
            exp: (now + LIFE).unix_timestamp(),
            name: "Ada Lovelace".into(),
            is_admin: false,
            csrf: secret::encode(&SECRET),
            others: 0,
            handle: Uuid::new_v4(),
            remember: false,
            factor: LoginMethod::Password.as_str().into(),
            address: "127.0.0.1".into(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0".into(),
            created_at: created_at.0,
            last_seen_at: created_at.0,
            expires_at: created_at.plus(LIFE).0,
        }
    }

    fn into_record(self) -> SessionRecord {
        SessionRecord {
            handle: Handle(self.handle),
            principal: Principal(self.sub),
            state: SessionState::default(),
            remember: self.remember,
            login: LoginDetails { factor: self.factor.into(), user_agent: self.user_agent.into() }.into(),
            address: self.address,
            created_at: Moment(self.created_at),
            confirmed_at: Moment(self.created_at),
            last_seen_at: Moment(self.last_seen_at),
            expires_at: Moment(self.expires_at),
        }
    }
}

/// Checks nothing in the request.
async fn open(ctx: RequestContext, prepared: Data<Prepared>) -> Result<HttpResponse, Error> {
    let YardstickClaims { name, csrf, is_admin, others, .. } = &prepared.claims;
    let page = page(&ctx, name.clone(), *is_admin, csrf.clone());
    let policy = ctx.accounts().sessions().policy();
    home::dashboard(
        page,
        Vec::new(),
        name.clone(),
        &prepared.record,
        *others,
        OffsetDateTime::now_utc(),
        policy,
    )
}

async fn hs256(token: Hs256, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(token.0, &ctx)
}

async fn eddsa(token: EdDsa, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(token.0, &ctx)
}

fn show(claims: YardstickClaims, ctx: &RequestContext) -> Result<HttpResponse, Error> {
    let (name, others) = (claims.name.clone(), claims.others);
    let page = page(ctx, claims.name.clone(), claims.is_admin, claims.csrf.clone());
    let policy = ctx.accounts().sessions().policy();
    home::dashboard(page, Vec::new(), name, &claims.into_record(), others, OffsetDateTime::now_utc(), policy)
}

/// The same frame as for `/home`, so that the pages have equal size.
fn page(ctx: &RequestContext, name: SmolStr, is_admin: bool, csrf: String) -> Page {
    Page {
        csrf,
        flash: None,
        person: Some(Person { name, is_admin }),
        path: "/home".to_owned(),
        css: assets::css(),
        icon: assets::icon(),
        script: None,
        dev: ctx.shared.local,
    }
}

struct Hs256(YardstickClaims);

struct EdDsa(YardstickClaims);

impl FromRequest for Hs256 {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(verified(request, |prepared| &prepared.hs256).map(Self))
    }
}

impl FromRequest for EdDsa {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(verified(request, |prepared| &prepared.eddsa).map(Self))
    }
}

/// Verifies the signature and the expiry of the token in the cookie.
fn verified(
    request: &HttpRequest,
    how: impl Fn(&Prepared) -> &(DecodingKey, Validation),
) -> Result<YardstickClaims, Error> {
    let Some(prepared) = request.app_data::<Data<Prepared>>() else { return Err(Error::Forbidden) };
    let (key, validation) = how(prepared);
    let cookie = request.cookie(COOKIE).ok_or(Error::LogIn { next: None })?;
    let token = decode(cookie.value(), key, validation).map_err(|_| Error::LogIn { next: None })?;
    Ok(token.claims)
}

/// What `GET /api/v1/me` answers, in a JWT.
#[derive(Serialize, Deserialize)]
struct ApiClaims {
    exp: i64,
    me: MeOut,
}

impl FromRequest for ApiClaims {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verified = || {
            let (key, validation) = &request.app_data::<Data<Prepared>>()?.hs256;
            decode(bearer(request)?, key, validation).ok()
        };
        ready(verified().map(|token| token.claims).ok_or(Error::Forbidden))
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The answer of the API, behind a JWT.
async fn api_hs256(claims: ApiClaims) -> HttpResponse {
    HttpResponse::Ok().json(claims.me)
}

/// Returns a JWT for the answer that the API gives to the access token of the request.
async fn api_token(ctx: RequestContext) -> Result<HttpResponse, Error> {
    let raw = bearer(&ctx.request).ok_or(Error::Forbidden)?;
    let live = ctx.accounts().tokens.find(raw, Use::Background).await?.ok_or(Error::Forbidden)?;
    let exp = (OffsetDateTime::now_utc() + LIFE).unix_timestamp();
    let claims = ApiClaims { exp, me: MeOut::from(&live) };
    let token = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&SECRET));
    Ok(HttpResponse::Ok().body(token.map_err(Fault::bug)?))
}

/// Returns the cookies with tokens for the benchmark.
async fn tokens(prepared: Data<Prepared>) -> Result<HttpResponse, Error> {
    let token = |algorithm, key: EncodingKey| {
        encode(&Header::new(algorithm), &prepared.claims, &key)
            .map(|token| format!("{COOKIE}={token}"))
            .map_err(Fault::bug)
    };
    Ok(HttpResponse::Ok().json(json!({
        "hs256": token(Algorithm::HS256, EncodingKey::from_secret(&SECRET))?,
        "eddsa": token(Algorithm::EdDSA, EncodingKey::from_ed_der(&PRIVATE_KEY))?,
    })))
}
