//! Checks the files that deploy Latchkey against the platforms' rules and against each other: Dockerfile, build context,
//! component.yaml, compose.yaml, Kubernetes, OpenChoreo, the single machine, and the variables of docs/deploy-choreo.md.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use latchkey::config::{Settings, Transport};

use crate::support::files::{files_below, root};
use yaml::{Yaml, yaml};

mod kubernetes;
mod single_machine;
mod yaml;

// ---------------------------------------------------------------------------------- Dockerfile

#[test]
fn the_last_user_is_a_bare_number_from_10000_to_20000() {
    let dockerfile = Dockerfile::read();
    // The scan takes the last USER of the whole file and parses it as an integer.
    let user: u32 = dockerfile.last("USER").parse().unwrap();
    assert!((10_000..=20_000).contains(&user), "{user}");
    let of_final_stage = dockerfile.final_stage().iter().any(|(name, _)| name == "USER");
    assert!(of_final_stage, "the final stage runs as root");
}

#[test]
fn the_program_is_started_without_a_shell_so_that_signals_reach_it() {
    let dockerfile = Dockerfile::read();
    let exec_form = |name| serde_json::from_str::<Vec<String>>(dockerfile.last(name)).unwrap();
    assert_eq!(exec_form("ENTRYPOINT"), ["/usr/local/bin/latchkey"]);
    assert_eq!(exec_form("CMD"), ["serve"]);
}

#[test]
fn nothing_is_added_from_elsewhere() {
    let dockerfile = Dockerfile::read();
    assert!(dockerfile.all("ADD").is_empty());
    for command in dockerfile.all("RUN") {
        assert!(!command.contains("curl") && !command.contains("wget"), "{command}");
    }
}

#[test]
fn the_image_builds_without_an_argument() {
    for argument in Dockerfile::read().all("ARG") {
        assert!(argument.contains('='), "{argument} has no default");
    }
}

#[test]
fn the_build_keeps_to_the_lock_file_and_builds_the_dependencies_first() {
    let dockerfile = Dockerfile::read();
    let builds: Vec<_> = dockerfile.all("RUN").into_iter().filter(|run| run.contains("cargo ")).collect();
    assert_eq!(builds.len(), 2);
    assert!(builds.iter().all(|run| run.contains("cargo build --release --locked")));
    assert_eq!(dockerfile.all("COPY")[..3], ["Cargo.toml Cargo.lock ./", "crates crates", ". ."]);
    // Otherwise the empty program of the first build, which is newer, would be shipped.
    assert!(builds[1].contains("touch src/main.rs src/lib.rs"));
}

#[test]
fn the_dependency_layer_stands_in_for_every_target_the_manifest_names() {
    // Cargo refuses a manifest that names a target whose file is missing.
    let dependencies_first = Dockerfile::read().all("RUN")[1].to_owned();
    let manifest = read("Cargo.toml");
    for table in manifest.split("\n[").skip(1) {
        let Some((kind, rest)) = table.split_once("]]") else { continue };
        let name = rest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"');
        assert!(dependencies_first.contains(name), "Dockerfile: no stand-in for {kind}] {name}");
    }
    // It only watches the migrations: the real layer needs it, the placeholder program does not.
    assert!(read(".dockerignore").lines().any(|line| line == "!build.rs"));
}

#[test]
fn the_final_image_is_upgraded_and_holds_the_program_and_its_libraries_alone() {
    let dockerfile = Dockerfile::read();
    let stage = dockerfile.final_stage();
    assert_eq!(stage[0].1, "debian:trixie-slim");
    let all = |name| stage.iter().filter(move |(n, _)| n == name).map(|(_, rest)| rest.as_str());
    let install = all("RUN").collect::<String>();
    for word in
        ["upgrade", "--no-install-recommends", "libpq5", "ca-certificates", "rm -rf /var/lib/apt/lists"]
    {
        assert!(install.contains(word), "{word}");
    }
    assert_eq!(all("COPY").collect::<Vec<_>>(), ["--from=build /out/latchkey /usr/local/bin/latchkey"]);
}

#[test]
fn home_is_the_one_place_that_can_be_written_to_on_a_read_only_file_system() {
    assert_eq!(Dockerfile::read().environment()["HOME"], "/tmp");
}

// ------------------------------------------------------------------------------- build context

#[test]
fn nothing_secret_and_nothing_needless_enters_the_build_context() {
    let context = BuildContext::read();
    for path in [
        ".git/config",
        ".latchkey/secret",
        "latchkey.toml",
        ".env",
        "server.key",
        "target/release/latchkey",
        "tests/browser/node_modules/x/index.js",
        "compose.yaml",
        "src/.env.local",
        "src/latchkey.toml",
        "static/.latchkey/secret",
        "templates/private.pem",
    ] {
        assert!(!context.has(path), "{path}");
    }
}

#[test]
fn every_source_of_the_program_enters_the_build_context() {
    let context = BuildContext::read();
    for path in ["Cargo.toml", "Cargo.lock", "src/main.rs", "templates/layout.html", "static/app.css"] {
        assert!(context.has(path) && root().join(path).exists(), "{path}");
    }
    let crates = paths_below("crates").into_iter().filter(|path| path.contains("/src/"));
    let migrations = ["migrations", "crates/sessions/migrations"].map(paths_below).concat();
    for path in migrations.into_iter().chain(crates).chain(embedded_files()) {
        assert!(context.has(&path), "{path} is not in the build context");
    }
}

// -------------------------------------------------------------------------------------- Choreo

#[test]
fn component_yaml_keeps_to_the_rules_of_the_platform() {
    assert_eq!(complaints(&read(".choreo/component.yaml")), NOTHING);
}

#[test]
fn component_yaml_still_does_when_its_database_lines_are_uncommented() {
    let text = read(".choreo/component.yaml");
    let (live, commented) = text.split_once("\n# dependencies:").unwrap();
    let text = format!("{live}\ndependencies:{}", commented.replace("\n# ", "\n"));
    assert_eq!(complaints(&text), NOTHING);
    assert!(text.contains("\n    - name: PGHOST"));
}

#[test]
fn the_checker_refuses_files_that_the_platform_refuses() {
    let good = read(".choreo/component.yaml");
    for (right, wrong) in [
        ("schemaVersion: 1.2", "schemaVersion: 2.0"),
        ("schemaVersion: 1.2\n", ""),
        ("name: web", "name: Web"),
        ("name: web", "nmae: web"),
        ("port: 8080", "port: 80"),
        ("port: 8080", "port: 1000"),
        ("port: 8080", "port: 65535"),
        ("port: 8080", "port: http"),
        ("basePath: /", "basePath: app"),
        ("type: REST", "type: HTTP"),
        ("type: REST", "type: TCP"),
        ("- Public", "- Everybody"),
        ("networkVisibilities", "networkVisibility"),
        ("displayName: Web", "schemaFilePath: openapi.yaml"),
    ] {
        assert!(good.contains(right), "{right}");
        assert!(!complaints(&good.replacen(right, wrong, 1)).is_empty(), "{wrong:?} was accepted");
    }
}

#[test]
fn every_file_and_the_program_itself_name_the_same_port() {
    let dockerfile = Dockerfile::read();
    let port = dockerfile.environment()["PORT"].clone();
    assert_eq!(dockerfile.last("EXPOSE"), port);
    let component = yaml(&read(".choreo/component.yaml"));
    assert_eq!(component.at("endpoints").list()[0].at("service").at("port").text(), port);
    let published =
        yaml(&read("compose.yaml")).at("services").at("latchkey").at("ports").list()[0].text().to_owned();
    assert!(published.ends_with(&format!(":{port}")), "{published}");
    let settings =
        Settings::from_environment(HashMap::from(DEPLOYED.map(|(k, v)| (k.into(), v.into())))).unwrap();
    assert_eq!(settings.server.port.to_string(), port);
    // Choreo scales to zero only with a few ports; these are among them.
    assert!((8080..=8089).contains(&settings.server.port));
}

#[test]
fn every_variable_the_deployment_guide_names_is_a_setting() {
    let guide = read("docs/deploy-choreo.md");
    let names: BTreeSet<_> = guide
        .split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.starts_with("LATCHKEY__"))
        .collect();
    assert!(names.contains("LATCHKEY__SECRET"));
    for name in names {
        let env = DEPLOYED.into_iter().chain([(name, "1")]).map(|(k, v)| (k.into(), v.into()));
        let refusal = Settings::from_environment(env.collect()).err().map(|error| error.to_string());
        assert!(!refusal.unwrap_or_default().contains("unknown field"), "{name} is no setting");
    }
}

// ------------------------------------------------------------------------------------- compose

#[test]
fn compose_locks_the_container_down() {
    let latchkey = yaml(&read("compose.yaml")).at("services").at("latchkey").clone();
    assert_eq!(latchkey.at("read_only").text(), "true");
    assert_eq!(latchkey.at("tmpfs").texts(), ["/tmp"]);
    assert_eq!(latchkey.at("cap_drop").texts(), ["ALL"]);
    assert_eq!(latchkey.at("security_opt").texts(), ["no-new-privileges:true"]);
    for key in ["privileged", "cap_add", "user", "pid", "network_mode"] {
        assert!(latchkey.get(key).is_none(), "{key}");
    }
    assert!(latchkey.at("ports").texts().iter().all(|port| port.starts_with("127.0.0.1:")));
}

#[test]
fn compose_keeps_the_database_to_latchkey_and_waits_until_it_answers() {
    let compose = yaml(&read("compose.yaml"));
    let (latchkey, database) = (compose.at("services").at("latchkey"), compose.at("services").at("database"));
    assert!(database.get("ports").is_none());
    assert_eq!(database.at("networks").texts(), ["data"]);
    assert_eq!(compose.at("networks").at("data").at("internal").text(), "true");
    assert!(database.at("image").text().starts_with("postgres:"));
    assert!(database.at("healthcheck").at("test").texts().contains(&"pg_isready"));
    assert_eq!(latchkey.at("depends_on").at("database").at("condition").text(), "service_healthy");
    let volume = database.at("volumes").texts()[0].split(':').next().unwrap().to_owned();
    assert!(compose.at("volumes").get(&volume).is_some());
}

#[test]
fn compose_has_a_sweep_service_for_schedulers() {
    let compose = yaml(&read("compose.yaml"));
    let sweep = compose.at("services").at("sweep");
    assert_eq!(sweep.at("command").texts(), ["session", "sweep"]);
    // Otherwise `docker compose up` would run it repeatedly.
    assert_eq!(sweep.at("profiles").texts(), ["sweep"]);
    assert_eq!(sweep.at("restart").text(), "no");
    // The same image, settings and restrictions.
    assert_eq!(sweep.at("extends").at("service").text(), "latchkey");
    assert_eq!(sweep.at("depends_on").at("database").at("condition").text(), "service_healthy");
}

#[test]
fn compose_gives_settings_that_latchkey_accepts_and_asks_for_the_secret() {
    let compose = yaml(&read("compose.yaml"));
    let Yaml::Map(variables) = compose.at("services").at("latchkey").at("environment") else { panic!() };
    let mut env: HashMap<_, _> =
        variables.iter().map(|(name, value)| (name.clone(), value.text().to_owned())).collect();
    let secret = env.insert("LATCHKEY__SECRET".into(), DEPLOYED[1].1.into()).unwrap();
    assert!(secret.starts_with("${LATCHKEY__SECRET:?"), "compose must stop where the secret is missing");
    let settings = Settings::from_environment(env).unwrap();
    assert!(!settings.is_local());
    assert_eq!(settings.server.public.as_str(), "http://localhost:8080");
    assert!(settings.mail.transport == Transport::None);
}

#[test]
fn compose_says_how_the_first_user_gets_in() {
    let text = read("compose.yaml");
    let (top, _) = text.split_once("\nservices:").unwrap();
    for words in ["docker compose logs", "/setup?token=", "docker compose exec latchkey latchkey user create"]
    {
        assert!(top.contains(words), "{words}");
    }
}

// ----------------------------------------------------------------------------- reading the files

const DEPLOYED: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://latchkey@database/latchkey"),
    ("LATCHKEY__SECRET", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below `dir`, as paths from the root.
fn paths_below(dir: &str) -> Vec<String> {
    let from_root = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    files_below(&root().join(dir)).iter().map(from_root).collect()
}

/// The files that the sources include with `include_str!` and `include_bytes!`, as paths from the root.
fn embedded_files() -> Vec<String> {
    let mut found = Vec::new();
    for source in paths_below("src").into_iter().filter(|path| path.ends_with(".rs")) {
        let text = read(&source);
        for call in text
            .split("include_")
            .skip(1)
            .filter(|call| call.starts_with("str!(\"") || call.starts_with("bytes!(\""))
        {
            let path = Path::new(&source).parent().unwrap().join(call.split('"').nth(1).unwrap());
            found.push(without_dots(&path).to_str().unwrap().to_owned());
        }
    }
    found
}

fn without_dots(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut clean, part| {
        if part == Component::ParentDir {
            clean.pop();
        } else {
            clean.push(part)
        }
        clean
    })
}

/// The instructions of the Dockerfile in order: name and arguments.
struct Dockerfile(Vec<(String, String)>);

impl Dockerfile {
    fn read() -> Self {
        let text = read("Dockerfile");
        let lines: Vec<_> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let joined = lines.join("\n").replace("\\\n", "");
        Self(
            joined
                .lines()
                .map(|line| line.split_once(' ').unwrap())
                .map(|(name, rest)| (name.to_uppercase(), rest.trim().into()))
                .collect(),
        )
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, rest)| rest.as_str()).collect()
    }

    fn last(&self, name: &str) -> &str {
        self.all(name).last().copied().unwrap_or_else(|| panic!("no {name}"))
    }

    fn final_stage(&self) -> &[(String, String)] {
        &self.0[self.0.iter().rposition(|(name, _)| name == "FROM").unwrap()..]
    }

    fn environment(&self) -> HashMap<String, String> {
        let pairs = self
            .final_stage()
            .iter()
            .filter(|(name, _)| name == "ENV")
            .flat_map(|(_, rest)| rest.split_whitespace());
        pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
    }
}

/// `.dockerignore`: the last line that matches a path or a parent folder decides. Only the patterns that the file uses
/// are supported: names, `**/` in front, and `*` within a name.
struct BuildContext(Vec<String>);

impl BuildContext {
    fn read() -> Self {
        let text = read(".dockerignore");
        Self(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(Into::into)
                .collect(),
        )
    }

    fn has(&self, path: &str) -> bool {
        let deciding = self.0.iter().rev().find(|line| Self::covers(line.trim_start_matches('!'), path));
        deciding.is_none_or(|line| line.starts_with('!'))
    }

    fn covers(pattern: &str, path: &str) -> bool {
        match pattern.strip_prefix("**/") {
            Some(name) => path.split('/').any(|part| Self::alike(name, part)),
            None => {
                assert!(!pattern.contains('/'), "{pattern}: this reader does not know such a pattern");
                Self::alike(pattern, path.split('/').next().unwrap())
            }
        }
    }

    fn alike(pattern: &str, name: &str) -> bool {
        match pattern.split_once('*') {
            Some((before, after)) => {
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            }
            None => pattern == name,
        }
    }
}

// ------------------------------------------------------------------------ the platform's validator

const NOTHING: [String; 0] = [];

/// Mistakes that Choreo's validator would report, or would silently ignore.
fn complaints(text: &str) -> Vec<String> {
    let (file, mut found) = (yaml(text), Complaints(Vec::new()));
    let keys = ["schemaVersion", "endpoints", "dependencies", "configurations"];
    found.unless(file.only(&keys), "an unknown key at the root");
    let version = file.optional("schemaVersion");
    found.unless(["1.0", "1.1", "1.2"].contains(&version), "schemaVersion: 1.0, 1.1 or 1.2");

    let endpoints = file.get("endpoints").map(Yaml::list).unwrap_or_default();
    found.unless(unique(endpoints, "name"), "endpoints: names are unique");
    endpoints.iter().for_each(|endpoint| found.endpoint(endpoint));

    let connections =
        file.get("dependencies").map(|d| d.at("connectionReferences").list()).unwrap_or_default();
    found.unless(unique(connections, "name"), "connections: names are unique");
    connections.iter().for_each(|connection| found.connection(connection));

    let variables = file.get("configurations").map(|c| c.at("env").list()).unwrap_or_default();
    found.unless(variables.is_empty() || version != "1.0", "configurations: from schemaVersion 1.1");
    found.unless(unique(variables, "name"), "env: names are unique");
    variables.iter().for_each(|variable| found.variable(variable, connections));
    found.0
}

struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, holds: bool, rule: &str) {
        if !holds {
            self.0.push(rule.to_owned());
        }
    }

    fn endpoint(&mut self, endpoint: &Yaml) {
        let keys = ["name", "displayName", "service", "type", "networkVisibilities", "schemaFilePath"];
        self.unless(endpoint.only(&keys), "an unknown key in an endpoint");
        let name = endpoint.optional("name");
        let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        self.unless(name.starts_with(|c: char| c.is_ascii_lowercase()), "name: begins with a to z");
        self.unless(name.len() <= 50 && name.chars().all(in_name), "name: 50 of a-z 0-9 _ -");
        self.unless(endpoint.optional("displayName").len() <= 50, "displayName: 50 at most");

        let service = endpoint.get("service").cloned().unwrap_or(Yaml::Map(Vec::new()));
        self.unless(service.only(&["basePath", "port"]), "an unknown key in service");
        let port = service.optional("port").parse::<u32>();
        self.unless(port.is_ok_and(|port| port > 1000 && port < 65_535), "port: 1000 < port < 65535");
        let base = service.get("basePath").map_or("/", Yaml::text);
        let in_base = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
        self.unless(base.starts_with('/') && base.chars().all(in_base), "basePath: / and plain characters");

        let kind = endpoint.optional("type");
        self.unless(["REST", "GraphQL", "GRPC", "TCP", "UDP", "WS"].contains(&kind), "type: unknown");
        let seen_by = endpoint.get("networkVisibilities").map(Yaml::texts).unwrap_or_else(|| vec!["Public"]);
        let known = |scope: &&str| ["Public", "Project", "Organization"].contains(scope);
        self.unless(seen_by.iter().all(known), "networkVisibilities: unknown");
        let inner = ["GRPC", "TCP", "UDP"].contains(&kind);
        self.unless(!inner || seen_by == ["Project"], "networkVisibilities: this type in the project only");
        let schema = endpoint.optional("schemaFilePath");
        self.unless(schema.is_empty() || root().join(schema).exists(), "schemaFilePath: no such file");
    }

    fn connection(&mut self, connection: &Yaml) {
        self.unless(connection.only(&["name", "resourceRef"]), "an unknown key in a connection");
        let name = connection.optional("name");
        let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric());
        self.unless((3..=50).contains(&name.len()), "connection: a name of 3 to 50");
        self.unless(
            name.split(['_', '-', '.', ' ']).all(plain),
            "connection: words with single _ - . or space",
        );
        self.unless(connection.optional("resourceRef").starts_with("database:"), "resourceRef: a database");
    }

    fn variable(&mut self, variable: &Yaml, connections: &[Yaml]) {
        // The platform would accept `value` too, but a value in this file would be public.
        self.unless(variable.only(&["name", "valueFrom"]), "env: name and valueFrom alone");
        let name = variable.optional("name");
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.unless(!name.is_empty() && name.chars().all(in_name), "env: letters, digits, _");
        self.unless(!name.starts_with(|c: char| c.is_ascii_digit()), "env: no digit in front");
        let reference = variable.get("valueFrom").and_then(|from| from.get("connectionRef"));
        let (connection, key) = reference.map_or(("", ""), |r| (r.optional("name"), r.optional("key")));
        self.unless(
            connections.iter().any(|c| c.optional("name") == connection),
            "connectionRef: no such name",
        );
        let keys = ["HostName", "Port", "Username", "Password", "DatabaseName"];
        self.unless(keys.contains(&key), "connectionRef: no such key of a database");
    }
}

fn unique(items: &[Yaml], key: &str) -> bool {
    let values: BTreeSet<_> = items.iter().map(|item| item.optional(key)).collect();
    values.len() == items.len()
}
