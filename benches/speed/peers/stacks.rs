//! The other stacks: how to start each, insert sessions, and log in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, thread};

use actix_web::rt::SystemRunner;

use url::Url;

use crate::environment::{Environment, Program, cookies, execute, free_port, on_core};

const NAME: &str = "ada";
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "poetical-science-1843";
const SECRET: &str = "only-for-measuring-0123456789-abcdefghijkl";

pub struct Stack {
    /// The key in the JSON line.
    pub key: &'static str,
    /// The name in the table.
    pub name: &'static str,
    login: Login,
    origin: String,
    _programs: Vec<Program>,
}

#[derive(Clone, Copy)]
enum Login {
    /// A form with a name and without a password: the stack has sessions, but no users.
    Name,
    Django,
    BetterAuth,
}

/// Starts all stacks, each with 10,000 sessions of other users.
pub fn all(
    environment: &Environment,
    length: usize,
    system: &SystemRunner,
    client: &reqwest::Client,
) -> Vec<Stack> {
    let starting = Starting { environment, length, system, client };
    vec![
        starting.django(),
        starting.express("express", "Express + connect-pg-simple", false),
        starting.express("express_without_touch", "Express, disableTouch", true),
        starting.better_auth("better_auth", "better-auth", false),
        starting.better_auth("better_auth_cookie_cache", "better-auth, cookieCache (5 min stale)", true),
        starting.actix_redis(),
        starting.tower_sessions(),
    ]
}

struct Starting<'a> {
    environment: &'a Environment,
    length: usize,
    system: &'a SystemRunner,
    client: &'a reqwest::Client,
}

impl Starting<'_> {
    fn django(&self) -> Stack {
        let (dir, database) = (installed("django"), self.environment.database("django"));
        let python = dir.join("venv/bin/python");
        for arguments in [&["migrate"][..], &["createsuperuser", "--noinput"]] {
            let mut command = Command::new(&python);
            self.configure(&mut command, Some(&database), 0);
            command.current_dir(&dir).arg("manage.py").args(arguments);
            command.env("DJANGO_SUPERUSER_USERNAME", NAME).env("DJANGO_SUPERUSER_EMAIL", EMAIL);
            command.env("DJANGO_SUPERUSER_PASSWORD", PASSWORD);
            assert!(command.stdout(Stdio::null()).status().unwrap().success(), "{arguments:?}");
        }
        let port = free_port();
        let mut command = on_core(Some("0"), dir.join("venv/bin/gunicorn"));
        self.configure(&mut command, Some(&database), port);
        // One worker for the one core, with as many threads as gunicorn's documentation advises: more than twice
        // as fast as its default, which closes every connection, and faster than three workers.
        command.current_dir(&dir).args(["--workers", "1", "--threads", "4"]);
        command.args(["--bind", &format!("127.0.0.1:{port}")]);
        command.args(["--log-level", "error", "front.wsgi"]);
        let stack =
            self.stack("django", "Django, gunicorn", Login::Django, port, vec![Program::start(command)]);
        self.insert_other_sessions(&stack, "django", &database);
        stack
    }

    fn express(&self, key: &'static str, name: &'static str, disable_touch: bool) -> Stack {
        let database = self.environment.database(key);
        let port = free_port();
        let mut command = node("express");
        self.configure(&mut command, Some(&database), port);
        command.env("DISABLE_TOUCH", disable_touch.to_string());
        let stack = self.stack(key, name, Login::Name, port, vec![Program::start(command)]);
        self.insert_other_sessions(&stack, "express", &database);
        stack
    }

    fn better_auth(&self, key: &'static str, name: &'static str, cookie_cache: bool) -> Stack {
        let database = self.environment.database(key);
        let port = free_port();
        let mut command = node("better-auth");
        self.configure(&mut command, Some(&database), port);
        command.env("COOKIE_CACHE", cookie_cache.to_string());
        let stack = self.stack(key, name, Login::BetterAuth, port, vec![Program::start(command)]);
        let person = format!(r#"{{"name":"{NAME}","email":"{EMAIL}","password":"{PASSWORD}"}}"#);
        self.system.block_on(stack.post_json(self.client, "sign-up", person));
        self.insert_other_sessions(&stack, "better-auth", &database);
        stack
    }

    fn actix_redis(&self) -> Stack {
        let redis_port = free_port().to_string();
        let mut redis = on_core(Some("1"), "redis-server");
        // Without snapshots: a fork in the middle of a round would be unfair.
        redis.args(["--port", &redis_port, "--bind", "127.0.0.1", "--save", ""]).stdout(Stdio::null());
        let redis = Program::start(redis);
        let port = free_port();
        let mut command = on_core(Some("0"), rust("actix-redis"));
        self.configure(&mut command, None, port);
        command.env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}"));
        let programs = vec![Program::start(command), redis];
        let stack = self.stack("actix_redis", "actix-session + Redis", Login::Name, port, programs);
        let mut insert = Command::new("redis-cli");
        insert.args(["-p", &redis_port, "--eval"]).arg(source("actix-redis/crowd.lua"));
        let said = insert.output().unwrap();
        let sessions: u32 = String::from_utf8_lossy(&said.stdout).trim().parse().expect("a number");
        assert!(sessions >= 10_000, "{said:?}");
        stack
    }

    fn tower_sessions(&self) -> Stack {
        let database = self.environment.database("tower_sessions");
        let port = free_port();
        let mut command = on_core(Some("0"), rust("tower-sessions"));
        self.configure(&mut command, Some(&database), port);
        let programs = vec![Program::start(command)];
        let stack = self.stack("tower_sessions", "tower-sessions + sqlx", Login::Name, port, programs);
        self.insert_other_sessions(&stack, "tower-sessions", &database);
        stack
    }

    /// The environment variables of all stacks.
    fn configure(&self, command: &mut Command, database: Option<&str>, port: u16) {
        // A page without its filler has about 170 bytes.
        command.env("PAGE_FILLER", self.length.saturating_sub(170).to_string());
        command.env("PORT", port.to_string()).env("NODE_ENV", "production");
        for name in ["SECRET_KEY", "SESSION_SECRET", "BETTER_AUTH_SECRET"] {
            command.env(name, SECRET);
        }
        command.env("BETTER_AUTH_URL", format!("http://localhost:{port}"));
        // Their drivers agree on these variables, but not on how a URL names a socket.
        if let Some(database) = database {
            let database = Url::parse(&database.replacen("@/", "@localhost/", 1)).expect("a URL");
            command.env("PGUSER", database.username()).env("PGDATABASE", &database.path()[1..]);
            for (name, value) in database.query_pairs() {
                command.env(format!("PG{}", name.to_uppercase()), value.as_ref());
            }
        }
    }

    fn stack(
        &self,
        key: &'static str,
        name: &'static str,
        login: Login,
        port: u16,
        programs: Vec<Program>,
    ) -> Stack {
        let stack =
            Stack { key, name, login, origin: format!("http://localhost:{port}"), _programs: programs };
        let up = async || self.client.get(stack.page()).send().await.is_ok();
        while !self.system.block_on(up()) {
            thread::sleep(std::time::Duration::from_millis(50));
        }
        stack
    }

    /// Inserts the other sessions after a first log-in, because some stacks create their table only then.
    fn insert_other_sessions(&self, stack: &Stack, peer: &str, database: &str) {
        self.system.block_on(stack.log_in(self.client));
        let statements = fs::read_to_string(source(&format!("{peer}/crowd.sql"))).unwrap();
        execute(database, &statements);
    }
}

impl Stack {
    pub fn page(&self) -> String {
        format!("{}/home", self.origin)
    }

    /// Returns the cookies.
    pub async fn log_in(&self, client: &reqwest::Client) -> String {
        let form = format!("{}/login", self.origin);
        let answer = match self.login {
            Login::Name => client.post(form).form(&[("name", NAME)]).send().await.unwrap(),
            Login::Django => {
                let page = client.get(&form).send().await.unwrap();
                let nonce = cookies(&page);
                let body = page.text().await.unwrap();
                let (_, rest) = body.split_once("name=\"csrfmiddlewaretoken\" value=\"").expect("a token");
                let token = rest.split('"').next().unwrap_or_default();
                let fields = [("username", NAME), ("password", PASSWORD), ("csrfmiddlewaretoken", token)];
                client.post(&form).header("cookie", nonce).form(&fields).send().await.unwrap()
            }
            Login::BetterAuth => {
                let person = format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#);
                self.post_json(client, "sign-in", person).await
            }
        };
        let found = cookies(&answer);
        assert!(!found.is_empty(), "{}: {answer:?}", self.name);
        found
    }

    async fn post_json(&self, client: &reqwest::Client, what: &str, body: String) -> reqwest::Response {
        let request = client.post(format!("{}/api/auth/{what}/email", self.origin)).body(body);
        let request = request.header("content-type", "application/json").header("origin", &self.origin);
        // It counts attempts by IP address, which it reads from the proxy's header.
        let request = request.header("x-forwarded-for", "192.0.2.7");
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}: {answer:?}", self.name);
        answer
    }

    /// Checks that the page needs the cookie and is as long as ours.
    pub async fn check(&self, client: &reqwest::Client, cookie: &str, length: usize) {
        let page = client.get(self.page()).header("cookie", cookie).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 200, "{}", self.name);
        let body = page.text().await.unwrap();
        assert!(body.contains(&format!("Welcome back, {NAME}")), "{}: {body}", self.name);
        assert!(body.len().abs_diff(length) <= length / 50, "{}: {} bytes", self.name, body.len());
        let forged = cookie.replace(|c: char| c.is_ascii_digit(), "0");
        for cookie in [None, Some(forged)] {
            let mut request = client.get(self.page());
            if let Some(cookie) = cookie {
                request = request.header("cookie", cookie);
            }
            let status = request.send().await.unwrap().status().as_u16();
            assert!([302, 303, 401].contains(&status), "{}: {status} for anybody", self.name);
        }
    }
}

/// The directory into which `benches/peers/install` installs.
fn installed(peer: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers").join(peer)
}

fn rust(peer: &str) -> PathBuf {
    installed("rust/release").join(format!("latchkey-peer-{peer}"))
}

/// Uses the Node that the lock file pins, if there is one for this machine.
fn node(peer: &str) -> Command {
    let dir = installed(peer);
    let pinned = ["x64", "arm64"].map(|arch| dir.join(format!("node_modules/node-linux-{arch}/bin/node")));
    let program = pinned.into_iter().find(|program| program.exists()).unwrap_or_else(|| "node".into());
    let mut command = on_core(Some("0"), program);
    command.current_dir(&dir).arg("server.js");
    command
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(path)
}
