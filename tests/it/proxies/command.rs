//! `latchkey app config`: which apps it is about, its options, and what it refuses.

use std::fs;

use crate::support::db::TestDb;
use crate::support::process::{DataDir, Latchkey, Ran};

fn config(latchkey: &Latchkey, arguments: &[&str]) -> Ran {
    latchkey.run(&[&["app", "config"], arguments].concat())
}

/// A new app without rules is added with a warning.
#[track_caller]
fn done(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[track_caller]
fn refused(ran: &Ran, because: &str) {
    assert_ne!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.is_empty() && ran.err.contains(because), "{}", ran.err);
}

#[actix_web::test]
async fn without_names_the_file_is_for_all_apps_in_forward_auth_mode() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    refused(&config(&latchkey, &["--proxy", "nginx"]), "Name an app");
    let add = |slug: &str, more: &[&str]| {
        let origin = format!("https://{slug}.example.org");
        latchkey.run(&[&["app", "add", slug, "--origin", &origin], more].concat())
    };
    refused(&add("wiki", &[]), "--upstream");
    done(&add("wiki", &["--forward-auth"]));
    done(&add("team-board", &["--forward-auth", "--upstream", "http://10.0.0.5:3000"]));
    done(&add("shop", &["--upstream", "http://10.0.0.6:3000"]));

    let all = config(&latchkey, &["--proxy", "nginx"]);
    assert!(all.out.contains("Written by `latchkey app config --proxy nginx`."), "{}", all.out);
    for (text, is_there) in [
        ("server_name wiki.example.org;", true),
        ("server 10.0.0.5:3000;", true),
        ("Latchkey does not know where wiki listens", true),
        ("shop", false),
    ] {
        assert_eq!(all.out.contains(text), is_there, "{text}: {}", all.out);
    }
    let named =
        config(&latchkey, &["shop", "wiki", "--proxy", "caddy", "--upstream", "wiki=http://10.0.0.7"]);
    let begins = ["https://shop.example.org {", "https://wiki.example.org {", "http://10.0.0.7:80 {"];
    assert!(begins.iter().all(|text| named.out.contains(text)), "{}", named.out);
    assert!(!named.out.contains("board") && !named.out.contains("Replace"), "{}", named.out);
}

#[actix_web::test]
async fn several_files_are_printed_one_by_one_or_written() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let origin = ["--origin", "https://wiki.example.org", "--forward-auth"];
    done(&latchkey.run(&[&["app", "add", "wiki"][..], &origin].concat()));
    let main = config(&latchkey, &["--proxy", "haproxy"]);
    assert!(main.err.contains("--file latchkey.lua") && main.out.contains("lua-load"), "{}", main.err);
    let script = config(&latchkey, &["--proxy", "haproxy", "--file", "latchkey.lua"]);
    assert!(script.out.contains("core.httpclient") && script.err.is_empty(), "{}", script.err);
    let dir = DataDir::new();
    let here = dir.path().display().to_string();
    let options = ["--write", &here, "--directory", &here, "--latchkey", "latchkey:9000"];
    config(&latchkey, &[&["--proxy", "haproxy"], &options[..]].concat()).well();
    let written = fs::read_to_string(dir.path().join("haproxy.cfg")).expect("the file");
    assert!(written.contains(&format!("lua-load {here}/latchkey.lua")), "{written}");
    assert!(written.contains("lua.latchkey latchkey:9000 wiki https Remote-User,"), "{written}");
    assert_eq!(fs::read_to_string(dir.path().join("latchkey.lua")).expect("the script"), script.out);

    for (arguments, because) in [
        (&["--proxy", "apache"][..], "nginx, caddy, traefik, haproxy, envoy"),
        (&["nothing", "--proxy", "nginx"], "there is no app"),
        (&["--proxy", "nginx", "--file", "other.conf"], "there are nginx.conf"),
        (&["--proxy", "nginx", "--upstream", "shop=http://10.0.0.6"], "not in this configuration"),
        (&["--proxy", "nginx", "--upstream", "wiki:3000"], "Enter where the app listens"),
        (&["--proxy", "nginx", "--latchkey", "nowhere/else"], "Enter a host and a port"),
        (&["--proxy", "nginx", "--certificate", "here.pem"], "Enter a path"),
    ] {
        refused(&config(&latchkey, arguments), because);
    }
}
