//! The doctor's checks of the public URL over TLS, which a real nginx terminates.

use super::{SECRET, doctor};
use crate::cluster::nginx::Nginx;
use crate::support::certificates::Certificates;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, free_port};

/// One nginx for each, because a port has one certificate.
pub async fn nginx(certificates: &Certificates, name: &str, upstream: u16) -> Nginx {
    let port = free_port();
    let (certificate, key) =
        (certificates.file(&format!("{name}.pem")), certificates.file(&format!("{name}.key")));
    let listen = format!(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {};",
        certificate.display(),
        key.display()
    );
    Nginx::listening(port, &listen, &[upstream]).await
}

#[actix_web::test]
async fn over_tls_the_site_is_reached_and_a_certificate_that_browsers_refuse_is_named_with_what_to_do() {
    let (db, certificates) = (TestDb::new(), Certificates::new());
    let latchkey = Latchkey::on(&db.url())
        .with("LATCHKEY__SECRET", SECRET)
        .with("LATCHKEY__SERVER__TRUSTED_HOPS", 1)
        .with("SSL_CERT_FILE", certificates.file("ca.pem").display());
    let right = nginx(&certificates, "right", latchkey.port).await;
    let at = |nginx: &Nginx| format!("https://localhost:{}", nginx.port);
    let latchkey = latchkey.with("LATCHKEY__SERVER__PUBLIC_URL", at(&right));
    let running = latchkey.serve_ready().await;
    doctor(&latchkey, &["--url", &at(&right)])
        .says("site.reach", "ok", "the instance answers")
        .says("site.client-address", "ok", "through 1 proxies")
        .says("site.headers", "ok", "")
        .says("site.cookie", "ok", "__Host-")
        .says("site.redirect", "note", "no http:// counterpart")
        .says("settings.public-url", "ok", "https://");

    for (name, seen, advice) in [
        ("other", "is not for localhost", "a certificate with this name"),
        ("old", "has expired", "renew it"),
        ("stranger", "does not trust the authority", "SSL_CERT_FILE"),
    ] {
        let wrong = nginx(&certificates, name, latchkey.port).await;
        let found = doctor(&latchkey, &["--url", &at(&wrong)]);
        found.says("site.reach", "problem", seen).says("site.reach", "problem", advice);
    }
    // HTTP on a TLS port, and HTTPS on a port without TLS.
    doctor(&latchkey, &["--url", &at(&right).replace("https", "http")]).says(
        "site.reach",
        "problem",
        "another server answers (400)",
    );
    let plain = running.origin.replace("http", "https");
    doctor(&latchkey, &["--url", &plain]).says("site.reach", "problem", "does not speak TLS");
}
