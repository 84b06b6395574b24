//! Checks deploy/kubernetes.yaml and deploy/openchoreo against the needs of the image and the program's own settings.

use std::collections::HashMap;

use latchkey::config::Settings;

use super::yaml::{Yaml, documents, yaml};
use super::{Dockerfile, read};

fn kubernetes() -> Vec<Yaml> {
    documents(&read("deploy/kubernetes.yaml"))
}

fn of_kind<'a>(documents: &'a [Yaml], kind: &str) -> &'a Yaml {
    let mut found = documents.iter().filter(|document| document.at("kind").text() == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "{kind}: more than one");
    first
}

/// The pods of the deployment and of the scheduled job.
fn pods(documents: &[Yaml]) -> [Yaml; 2] {
    let deployment = of_kind(documents, "Deployment").at("spec").at("template").at("spec");
    let job = of_kind(documents, "CronJob").at("spec").at("jobTemplate");
    [deployment.clone(), job.at("spec").at("template").at("spec").clone()]
}

fn container(pod: &Yaml) -> &Yaml {
    let [container] = pod.at("containers").list() else { panic!("not one container") };
    container
}

fn pairs(map: &Yaml) -> Vec<(String, String)> {
    let Yaml::Map(pairs) = map else { panic!("no map: {map:?}") };
    pairs.iter().map(|(name, value)| (name.clone(), value.text().to_owned())).collect()
}

#[test]
fn on_kubernetes_every_pod_is_locked_down() {
    let user = Dockerfile::read().last("USER").to_owned();
    for pod in pods(&kubernetes()) {
        assert_eq!(pod.at("automountServiceAccountToken").text(), "false");
        // Otherwise the environment would contain every service of the namespace.
        assert_eq!(pod.at("enableServiceLinks").text(), "false");
        let of_pod = pod.at("securityContext");
        assert_eq!(of_pod.at("runAsNonRoot").text(), "true");
        assert_eq!((of_pod.at("runAsUser").text(), of_pod.at("runAsGroup").text()), (&*user, &*user));
        assert_eq!(of_pod.at("seccompProfile").at("type").text(), "RuntimeDefault");
        let container = container(&pod);
        let security = container.at("securityContext");
        assert_eq!(security.at("allowPrivilegeEscalation").text(), "false");
        assert_eq!(security.at("readOnlyRootFilesystem").text(), "true");
        assert_eq!(security.at("capabilities").at("drop").texts(), ["ALL"]);
        assert!(security.get("privileged").is_none() && security.at("capabilities").get("add").is_none());
        for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert!(pod.get(key).is_none(), "{key}");
        }
        // Every writable volume is in memory, and bounded.
        for mount in container.at("volumeMounts").list() {
            let name = mount.at("name").text();
            let volume = pod.at("volumes").list().iter().find(|v| v.at("name").text() == name).unwrap();
            match mount.at("mountPath").text() {
                "/tmp" => {
                    let directory = volume.at("emptyDir");
                    assert_eq!(directory.at("medium").text(), "Memory");
                    assert!(directory.at("sizeLimit").text().ends_with("Mi"));
                }
                path => assert_eq!(mount.optional("readOnly"), "true", "{path}"),
            }
        }
        let memory = |kind: &str| container.at("resources").at(kind).at("memory").text().to_owned();
        assert!(memory("requests").ends_with("Mi") && memory("limits").ends_with("Mi"));
        assert!(!container.at("resources").at("requests").at("cpu").text().is_empty());
    }
}

#[test]
fn on_kubernetes_the_probes_the_service_and_the_budget_fit_the_deployment() {
    let documents = kubernetes();
    let deployment = of_kind(&documents, "Deployment");
    let [web, job] = pods(&documents);
    let (web, image) = (container(&web).clone(), container(&web).at("image").text().to_owned());
    let port = &web.at("ports").list()[0];
    assert_eq!(port.at("containerPort").text(), Dockerfile::read().last("EXPOSE"));
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        let probe = web.at(probe);
        assert_eq!(probe.at("httpGet").at("path").text(), path);
        assert_eq!(probe.at("httpGet").at("port").text(), port.at("name").text());
        assert!(probe.at("failureThreshold").text().parse::<u32>().unwrap() > 1);
    }
    // If a selector matches no labels of the pods, no service and no policy covers them.
    let labels = pairs(deployment.at("spec").at("template").at("metadata").at("labels"));
    let selector = |kind: &str| of_kind(&documents, kind).at("spec").at("selector").clone();
    assert_eq!(pairs(selector("Deployment").at("matchLabels")), labels);
    assert_eq!(pairs(selector("PodDisruptionBudget").at("matchLabels")), labels);
    assert_eq!(pairs(&selector("Service")), labels);
    let served = &of_kind(&documents, "Service").at("spec").at("ports").list()[0];
    assert_eq!(served.at("targetPort").text(), port.at("name").text());
    // A restart causes no outage, and one pod may always be evicted.
    let replicas: u32 = deployment.at("spec").at("replicas").text().parse().unwrap();
    let kept: u32 =
        of_kind(&documents, "PodDisruptionBudget").at("spec").at("minAvailable").text().parse().unwrap();
    assert!(kept >= 1 && replicas > kept, "{replicas} of which {kept} stay");
    assert_eq!(deployment.at("spec").at("strategy").at("rollingUpdate").at("maxUnavailable").text(), "0");
    // web/mod.rs gives requests 25 seconds, and cli/serve.rs gives the rest 10.
    let pod = deployment.at("spec").at("template").at("spec");
    let pause: u32 = web.at("lifecycle").at("preStop").at("exec").at("command").texts()[1].parse().unwrap();
    assert!(pod.at("terminationGracePeriodSeconds").text().parse::<u32>().unwrap() >= 25 + 10 + pause);

    let task = container(&job);
    assert_eq!(task.at("args").texts(), ["session", "sweep"]);
    assert_eq!(task.at("image").text(), image, "another program than the one that serves");
    assert!(web.get("args").is_none() && web.get("command").is_none(), "the image knows how it is started");
    let schedule = of_kind(&documents, "CronJob").at("spec");
    assert_eq!(schedule.at("schedule").text().split(' ').count(), 5);
    assert_eq!(schedule.at("concurrencyPolicy").text(), "Forbid");
    assert_eq!(job.at("restartPolicy").text(), "Never");
}

/// The variables of a pod whose operator has replaced every placeholder.
fn filled_in(documents: &[Yaml]) -> HashMap<String, String> {
    let (config, secret) = (of_kind(documents, "ConfigMap"), of_kind(documents, "Secret"));
    let mut env: HashMap<_, _> =
        pairs(config.at("data")).into_iter().chain(pairs(secret.at("stringData"))).collect();
    for (name, value) in [
        ("LATCHKEY__SECRET", super::DEPLOYED[1].1),
        ("LATCHKEY__SERVER__PUBLIC_URL", "https://id.example.org"),
        ("LATCHKEY__MAIL__SMTP_URL", "smtps://user:password@mail.example.org"),
        ("LATCHKEY__MAIL__FROM", "Latchkey <no-reply@example.org>"),
        ("PGHOST", "database.example.org"),
        ("PGPASSWORD", "of the role"),
    ] {
        assert_eq!(env.insert(name.into(), value.into()).as_deref(), Some("REPLACE-ME"), "{name}");
    }
    env
}

#[test]
fn on_kubernetes_the_settings_are_accepted_once_every_placeholder_is_replaced() {
    let documents = kubernetes();
    let (config, secret) = (of_kind(&documents, "ConfigMap"), of_kind(&documents, "Secret"));
    for pod in pods(&documents) {
        let from = container(&pod).at("envFrom").list().to_vec();
        assert_eq!(from[0].at("configMapRef").at("name").text(), config.at("metadata").at("name").text());
        assert_eq!(from[1].at("secretRef").at("name").text(), secret.at("metadata").at("name").text());
    }
    let env = filled_in(&documents);
    assert!(!Settings::from_environment(env.clone()).unwrap().is_local());
    assert_eq!(env["PGSSLMODE"], "verify-full");
    let mounted =
        container(&pods(&documents)[0]).at("volumeMounts").list()[1].at("mountPath").text().to_owned();
    assert!(env["PGSSLROOTCERT"].starts_with(&mounted), "{mounted}");
    for name in pairs(config.at("data")).into_iter().map(|(name, _)| name) {
        assert!(
            !name.contains("PASSWORD") && !name.contains("SECRET") && !name.contains("SMTP_URL"),
            "{name}"
        );
    }
}

#[test]
fn on_kubernetes_each_placeholder_that_is_left_is_refused_by_name() {
    let documents = kubernetes();
    let filled = filled_in(&documents);
    let (config, secret) = (of_kind(&documents, "ConfigMap"), of_kind(&documents, "Secret"));
    let mut left: Vec<String> = pairs(config.at("data"))
        .into_iter()
        .chain(pairs(secret.at("stringData")))
        .filter(|(_, value)| value == "REPLACE-ME")
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left.len(), 6);
    for name in &left {
        let mut env = filled.clone();
        env.insert(name.clone(), "REPLACE-ME".into());
        let refusal =
            Settings::from_environment(env).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains(&format!("{name} still has the placeholder")), "{name}: {refusal}");
    }
    // All other placeholders: a name in capitals is neither an image nor a host.
    let ingress = of_kind(&documents, "Ingress").at("spec");
    left.extend(ingress.at("tls").list()[0].at("hosts").texts().into_iter().map(str::to_owned));
    left.push(ingress.at("rules").list()[0].at("host").text().to_owned());
    left.extend(pods(&documents).map(|pod| container(&pod).at("image").text().to_owned()));
    assert!(left[6..].iter().all(|value| value == "REPLACE-ME"), "{left:?}");
    let text = read("deploy/kubernetes.yaml");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let marked: Vec<usize> = (0..lines.len())
        .filter(|at| !lines[*at].starts_with('#') && lines[*at].contains("REPLACE-ME"))
        .collect();
    assert_eq!(marked.len(), left.len(), "a placeholder that this test does not know");
    for at in marked {
        assert!(lines[at - 1].starts_with('#'), "line {}: say with what to replace it", at + 1);
    }
    // An example that would be accepted as a value.
    for line in lines.iter().filter(|line| !line.starts_with('#')) {
        assert!(!line.contains("example."), "{line}");
    }
}

#[test]
fn on_kubernetes_the_ingress_leads_to_the_pages_and_nothing_leads_to_the_metrics() {
    let documents = kubernetes();
    let [web, _] = pods(&documents);
    let ports = container(&web).at("ports").list();
    let metrics = ports.iter().find(|port| port.at("name").text() == "metrics").unwrap();
    let config = of_kind(&documents, "ConfigMap").at("data");
    assert_eq!(metrics.at("containerPort").text(), config.at("LATCHKEY__METRICS__PORT").text());
    let annotations =
        of_kind(&documents, "Deployment").at("spec").at("template").at("metadata").at("annotations");
    assert_eq!(annotations.at("prometheus.io/port").text(), metrics.at("containerPort").text());
    let service = of_kind(&documents, "Service");
    let [served] = service.at("spec").at("ports").list() else { panic!("not one port") };
    assert_eq!(served.at("targetPort").text(), "http");
    let rules = of_kind(&documents, "Ingress").at("spec").at("rules").list();
    let [path] = rules[0].at("http").at("paths").list() else { panic!("not one path") };
    assert_eq!((path.at("path").text(), path.at("pathType").text()), ("/", "Prefix"));
    let backend = path.at("backend").at("service");
    assert_eq!(backend.at("name").text(), service.at("metadata").at("name").text());
    assert_eq!(backend.at("port").at("name").text(), served.at("name").text());
}

/// The variables of a workload: `name` in the descriptor, `key` in the resource that the builder creates from it.
fn openchoreo_settings(env: &Yaml, name: &str, dependencies: &Yaml) -> HashMap<String, String> {
    let mut settings = HashMap::new();
    for variable in env.list() {
        let value = match variable.get("valueFrom") {
            Some(from) => {
                assert_eq!(from.at("secretKeyRef").at("name").text(), "latchkey-secrets");
                super::DEPLOYED[1].1
            }
            None => variable.at("value").text(),
        };
        settings.insert(variable.at(name).text().to_owned(), value.to_owned());
    }
    assert!(settings.contains_key("LATCHKEY__SECRET"));
    let [database] = dependencies.at("resources").list() else { panic!("not one resource") };
    assert_eq!(database.at("ref").text(), "latchkey-db");
    for (_, variable) in pairs(database.at("envBindings")) {
        settings.insert(variable, "5432".into());
    }
    settings
}

#[test]
fn on_openchoreo_the_descriptors_fit_together_and_the_settings_are_accepted() {
    let component = documents(&read("deploy/openchoreo/component.yaml"));
    let workload = yaml(&read("deploy/openchoreo/workload.yaml"));
    let sweep = documents(&read("deploy/openchoreo/sweep.yaml"));
    for document in component.iter().chain(&sweep).chain([&workload]) {
        assert_eq!(document.at("apiVersion").text(), "openchoreo.dev/v1alpha1");
    }
    let endpoint = &workload.at("endpoints").list()[0];
    assert_eq!(endpoint.at("port").text(), Dockerfile::read().last("EXPOSE"));
    assert_eq!(endpoint.at("type").text(), "HTTP");

    // The builder reads workload.yaml from appPath; the other two paths begin at the root.
    let builds = ["Component", "WorkflowRun"].map(|kind| of_kind(&component, kind).at("spec").at("workflow"));
    let [ours, run] = builds.map(|workflow| workflow.at("parameters"));
    assert_eq!(format!("{ours:?}"), format!("{run:?}"), "the first build is another than the later ones");
    assert_eq!(ours.at("repository").at("appPath").text(), "./deploy/openchoreo");
    assert_eq!(ours.at("docker").at("context").text(), ".");
    assert_eq!(ours.at("docker").at("filePath").text(), "./Dockerfile");
    let web = of_kind(&component, "Component");
    assert_eq!(web.at("spec").at("componentType").at("name").text(), "deployment/web-application");
    let resource = of_kind(&component, "Resource").at("metadata").at("name").text();
    let bound = of_kind(&component, "ResourceReleaseBinding").at("spec").at("owner").at("resourceName");
    assert_eq!((resource, bound.text()), ("latchkey-db", "latchkey-db"));

    let spec = of_kind(&sweep, "Workload").at("spec");
    assert_eq!(spec.at("container").at("args").texts(), ["session", "sweep"]);
    assert_eq!(
        of_kind(&sweep, "Component").at("spec").at("componentType").at("name").text(),
        "cronjob/scheduled-task"
    );
    let schedule = of_kind(&sweep, "ReleaseBinding").at("spec").at("componentTypeEnvironmentConfigs");
    assert_eq!(schedule.at("schedule").text().split(' ').count(), 5);

    let served =
        openchoreo_settings(workload.at("configurations").at("env"), "name", workload.at("dependencies"));
    let swept = openchoreo_settings(spec.at("container").at("env"), "key", spec.at("dependencies"));
    for (name, value) in &swept {
        assert_eq!(served.get(name), Some(value), "{name} differs");
    }
    for settings in [served, swept] {
        assert!(!Settings::from_environment(settings).unwrap().is_local());
    }
}
