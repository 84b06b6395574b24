//! `latchkey doctor --app` over TLS, which a real nginx terminates, and of an upstream with TLS.

use std::fs;

use super::{doctor, is_healthy};
use crate::cluster::nginx::Nginx;
use crate::doctor::SECRET;
use crate::doctor::site_tls::nginx;
use crate::support::certificates::Certificates;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, Running};
use crate::support::upstream::{OK, Upstream};

struct Site {
    latchkey: Latchkey,
    nginx: Nginx,
    certificates: Certificates,
    upstream: Upstream,
    _running: Running,
    _db: TestDb,
}

impl Site {
    /// Portal and apps below `https://localhost`.
    async fn start() -> Self {
        let (db, certificates, upstream) = (TestDb::new(), Certificates::new(), Upstream::answering(OK));
        let latchkey = Latchkey::on(&db.url())
            .with("LATCHKEY__SECRET", SECRET)
            .with("LATCHKEY__SERVER__TRUSTED_HOPS", 1)
            .with("SSL_CERT_FILE", certificates.file("ca.pem").display());
        let nginx = nginx(&certificates, "right", latchkey.port).await;
        let public = format!("https://localhost:{}", nginx.port);
        let latchkey = latchkey.with("LATCHKEY__SERVER__PUBLIC_URL", public);
        let running = latchkey.serve_ready().await;
        Self { latchkey, nginx, certificates, upstream, _running: running, _db: db }
    }

    /// Registers an app for every user; returns its origin.
    fn add(&self, slug: &str, upstream: &str, more: &[&str]) -> String {
        let origin = format!("https://{slug}.localhost:{}", self.nginx.port);
        let add = ["app", "add", slug, "--upstream", upstream, "--origin", &origin, "--allow", "signed-in"];
        let added = self.latchkey.run(&[&add[..], more].concat());
        assert_eq!(added.code, Some(0), "{}", added.err);
        origin
    }
}

#[actix_web::test]
async fn over_tls_an_app_is_healthy_and_a_certificate_that_browsers_refuse_is_named_with_what_to_do() {
    let site = Site::start().await;
    let origin = site.add("wiki", &site.upstream.url(), &[]);
    let found = doctor(&site.latchkey, &["--app", &origin]);
    is_healthy(&found);
    found
        .says("app.reach", "ok", "over TLS")
        .says("app.handoff", "ok", "sets __Host-latchkey-state")
        .says("app.client-address", "ok", "through 1 proxies")
        .says("app.redirect", "note", "no http:// counterpart");

    for (name, seen, advice) in [
        ("other", "is not for wiki.localhost", "a certificate with this name"),
        ("old", "has expired", "renew it"),
        ("stranger", "does not trust the authority", "SSL_CERT_FILE"),
    ] {
        let wrong = nginx(&site.certificates, name, site.latchkey.port).await;
        let found = doctor(&site.latchkey, &["--app", &format!("https://wiki.localhost:{}", wrong.port)]);
        found.says("app.reach", "problem", seen).says("app.reach", "problem", advice);
        assert_eq!(found.rows.len(), 1, "nothing else can be asked: {:#?}", found.rows);
    }
    // HTTPS on a port without TLS, and the certificate of the portal alone.
    let plain = format!("https://wiki.localhost:{}", site.latchkey.port);
    doctor(&site.latchkey, &["--app", &plain]).says("app.reach", "problem", "does not speak TLS");
    let forgotten = format!("https://forgotten.localhost:{}", site.nginx.port);
    doctor(&site.latchkey, &["--app", &forgotten]).says(
        "app.reach",
        "problem",
        "is not for forgotten.localhost",
    );
}

#[actix_web::test]
async fn an_upstream_with_tls_is_reached_with_the_certificates_of_its_app_alone() {
    let site = Site::start().await;
    // TLS in front of the app itself.
    let secured = nginx(&site.certificates, "right", site.upstream.port).await;
    let upstream = format!("https://localhost:{}", secured.port);
    let (right, wrong) = (site.certificates.file("ca.pem"), site.certificates.file("stranger.pem"));
    for (ca, level, words) in
        [(&right, "ok", "can connect to https://localhost"), (&wrong, "problem", "certificate verify failed")]
    {
        assert!(fs::exists(ca).unwrap());
        let origin = site.add("wiki", &upstream, &["--upstream-ca", ca.to_str().unwrap()]);
        let found = doctor(&site.latchkey, &["--app", &origin]);
        found.says("app.upstream", level, words).says("app.reach", "ok", "over TLS");
        assert_eq!(site.latchkey.run(&["app", "remove", "wiki"]).code, Some(0));
    }
}
