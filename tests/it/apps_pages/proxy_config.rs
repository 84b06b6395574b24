//! The page with the configuration for another proxy: the text of the command, to copy and to download.

use super::support::{add_wiki, administrator, app};
use crate::support::process::Latchkey;

const PROXIES: [(&str, &str); 5] = [
    ("nginx", "nginx.conf"),
    ("caddy", "Caddyfile"),
    ("traefik", "traefik.yml"),
    ("haproxy", "haproxy.cfg"),
    ("envoy", "envoy.yaml"),
];

#[actix_web::test]
async fn the_page_shows_what_the_command_prints() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let latchkey = Latchkey::on(&app.db.url());
    for (proxy, file) in PROXIES {
        let path = format!("/admin/apps/wiki/config/{proxy}");
        let page = admin.get(&path).await;
        page.is(200).is_page("admin/apps/slug/config/proxy");
        let printed = latchkey.run(&["app", "config", "wiki", "--proxy", proxy]);
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        assert!(printed.out.contains("127.0.0.1:8081") && printed.out.contains("3000"), "{}", printed.out);
        let shown = page.text(&format!("[data-file='{file}']")).expect("the file");
        assert_eq!(shown, squeezed(&printed.out), "{proxy}");
        let download = page.attribute(&format!("[download='{file}']"), "href").expect("a link");
        let downloaded = admin.get(&download).await;
        downloaded.is(200);
        assert_eq!(downloaded.body, printed.out, "{proxy}");
        let attachment = format!("attachment; filename=\"{file}\"");
        assert_eq!(downloaded.header("content-disposition"), Some(attachment.as_str()));
    }
    // HAProxy reads a script as well.
    let script = latchkey.run(&["app", "config", "wiki", "--proxy", "haproxy", "--file", "latchkey.lua"]);
    let page = admin.get("/admin/apps/wiki/config/haproxy").await;
    assert_eq!(page.text("[data-file='latchkey.lua']"), Some(squeezed(&script.out)));
}

/// The texts of a page are compared without their lines.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[actix_web::test]
async fn the_page_takes_the_options_of_the_command_and_refuses_what_it_refuses() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let path = "/admin/apps/wiki/config/nginx";
    let query =
        "latchkey=latchkey%3A9000&upstream=https%3A%2F%2Fwiki.internal&certificate=%2Fetc%2F%7Bhost%7D.pem";
    let page = admin.get(&format!("{path}?{query}")).await;
    let text = page.is(200).text("[data-file]").expect("the file");
    for line in ["server latchkey:9000;", "server wiki.internal:443;", "proxy_ssl_verify on;"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for (query, code) in [
        ("latchkey=somewhere%2Felse", "invalid-listener"),
        ("upstream=wiki", "invalid-upstream"),
        ("key=%2Fa%3Bb", "invalid-path"),
        ("directory=relative", "invalid-path"),
    ] {
        let page = admin.get(&format!("{path}?{query}")).await;
        assert_eq!(page.is(422).codes("data-refusal"), [code], "{query}");
        assert_eq!(page.count("[data-file]"), 0);
    }
    admin.get(&format!("{path}?download=nginx.conf.bak")).await.is(404);
    admin.get("/admin/apps/wiki/config/apache").await.is(404);
    admin.get("/admin/apps/nothing/config/nginx").await.is(404);
    let ada = app.ada().await;
    app.logged_in(&ada).await.get(path).await.is(403);
}
