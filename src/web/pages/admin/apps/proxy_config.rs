//! Shows the configuration of another proxy for an app, and sends it as files.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;

use super::load;
use crate::apps::{App, ProxyConfigRefusal, ProxyFile, ProxyKind, ProxyOptions, Upstream, proxy_files};
use crate::db::Refusable as _;
use crate::web::copy::proxy_config::{limits, proxy_name};
use crate::web::http::error::Error;
use crate::web::http::form::Fields;
use crate::web::http::path::{ByProxy, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Admin;

/// The parameter that names a file to download.
const DOWNLOAD: &str = "download";

#[derive(Template)]
#[template(path = "admin/apps/slug/config/proxy.html")]
struct ProxyConfigPage {
    page: Page,
    slug: String,
    name: String,
    form: Fields,
    kind: &'static str,
    proxy: &'static str,
    limits: &'static str,
    /// The proxies, each with its name in the path.
    proxies: Vec<(&'static str, &'static str)>,
    files: Vec<FileView>,
}

struct FileView {
    name: String,
    text: String,
    /// The path at which the same file is downloaded.
    download: String,
}

pub async fn show(
    _: Admin,
    ctx: RequestContext,
    Path(ByProxy { slug, proxy }): Path<ByProxy>,
) -> Result<HttpResponse, Error> {
    let kind = ProxyKind::parse(&proxy).ok_or(Error::NotFound)?;
    let app = load(&ctx, &slug).await?;
    let mut form = ctx.fields(&["upstream", "latchkey", "certificate", "key", "directory"]);
    if form.value("latchkey").is_empty() {
        form.set("latchkey", &ctx.shared.decision_listener);
    }
    let files = files(kind, &app, &mut form)?;
    let wanted = ctx.query(DOWNLOAD);
    if !wanted.is_empty() && form.errors().is_empty() {
        let file = files.into_iter().find(|file| file.name == wanted).ok_or(Error::NotFound)?;
        return Ok(download(file));
    }
    let path = format!("/admin/apps/{slug}/config/{proxy}");
    let files = files.into_iter().map(|file| FileView {
        download: download_path(&path, &form, &file.name),
        name: file.name,
        text: file.text,
    });
    let is_refused = !form.errors().is_empty();
    let shown = ProxyConfigPage {
        page: ctx.page().at(&path),
        name: app.name,
        kind: kind.as_str(),
        proxy: proxy_name(kind),
        limits: limits(kind),
        proxies: ProxyKind::ALL.iter().map(|kind| (kind.as_str(), proxy_name(*kind))).collect(),
        files: files.collect(),
        slug,
        form,
    };
    if is_refused { page::refused(&shown) } else { page::ok(&shown) }
}

/// Empty if a field was refused.
fn files(kind: ProxyKind, app: &App, form: &mut Fields) -> Result<Vec<ProxyFile>, Error> {
    let mut app = app.clone();
    let upstream = form.value("upstream").trim().to_owned();
    if !upstream.is_empty() {
        match Upstream::parse(&upstream, None) {
            Ok(upstream) => app.upstream = Some(upstream),
            Err(why) => form.refuse("upstream", why),
        }
    }
    let given = |name: &str| Some(form.value(name).to_owned());
    let options = ProxyOptions {
        command: format!("latchkey app config {} --proxy {}", app.slug, kind.as_str()),
        latchkey: form.value("latchkey").to_owned(),
        certificate: given("certificate"),
        key: given("key"),
        directory: given("directory"),
    };
    match proxy_files(kind, &[app], &options).split()? {
        Ok(files) if form.errors().is_empty() => Ok(files),
        Ok(_) => Ok(Vec::new()),
        Err(why) => {
            form.refuse(field_of(&why), &why);
            Ok(Vec::new())
        }
    }
}

fn field_of(why: &ProxyConfigRefusal) -> &'static str {
    match why {
        ProxyConfigRefusal::Latchkey => "latchkey",
        ProxyConfigRefusal::Path(field) => field,
        ProxyConfigRefusal::NoApps | ProxyConfigRefusal::MixedPort(_) => "",
    }
}

fn download_path(path: &str, form: &Fields, file: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["upstream", "latchkey", "certificate", "key", "directory"] {
        if !form.value(name).is_empty() {
            query.append_pair(name, form.value(name));
        }
    }
    format!("{path}?{}", query.append_pair(DOWNLOAD, file).finish())
}

fn download(file: ProxyFile) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)))
        .body(file.text)
}
