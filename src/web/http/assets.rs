//! Static files, compiled into the binary and cached without expiry under a name that contains their hash.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::Error;
use super::methods::read_only;
use crate::secret;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const CSS: Asset = Asset {
    name: "app.css",
    kind: "text/css; charset=utf-8",
    bytes: include_bytes!("../../../static/app.css"),
};
const ICON: Asset = Asset {
    name: "favicon.svg",
    kind: "image/svg+xml",
    bytes: include_bytes!("../../../static/favicon.svg"),
};

const PASSKEYS: Asset = Asset {
    name: "passkeys.js",
    kind: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../../static/passkeys.js"),
};

const LIVE: Asset = Asset {
    name: "live.js",
    kind: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../../../static/live.js"),
};

pub fn css() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| url(&CSS));
    &URL
}

pub fn icon() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| url(&ICON));
    &URL
}

/// The script of the pages that offer passkeys.
pub fn passkeys() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| url(&PASSKEYS));
    &URL
}

/// The script of the page with live connections.
pub fn live() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| url(&LIVE));
    &URL
}

pub fn mount(config: &mut web::ServiceConfig) {
    config.service(read_only("/static/{name}", file));
}

async fn file(request: HttpRequest) -> Result<HttpResponse, Error> {
    let asset = [CSS, ICON, PASSKEYS, LIVE]
        .into_iter()
        .find(|asset| request.match_info().get("name") == Some(asset.name))
        .ok_or(Error::NotFound)?;
    let cache = if request.query_string().is_empty() {
        "public, max-age=300"
    } else {
        "public, max-age=31536000, immutable"
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, asset.kind))
        .insert_header((header::CACHE_CONTROL, cache))
        .body(asset.bytes))
}

fn url(asset: &Asset) -> String {
    let hash = secret::encode(&secret::sha256(asset.bytes)[..9]);
    format!("/static/{}?v={hash}", asset.name)
}
