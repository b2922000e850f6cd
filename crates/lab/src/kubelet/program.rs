//! What does a container run? A few rules, since the lab has no images.

use serde_json::Value;

/// A program to run, as the container's spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The container's own environment, in its order.
    pub environment: Vec<(String, String)>,
}

/// Why a container cannot run here, in words for `kubectl describe`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotRunnable {
    /// None of the lab's rules applies.
    #[error(
        "the lab has no container images, so it cannot run {0:?}. With the container's args it runs podid's demo for an \
         image whose name ends in /demo and podid for one whose name ends in /podid; an explicit command runs \
         as given in the pod's network"
    )]
    Image(String),
    /// An environment variable refers to something that the lab does not offer.
    #[error("environment variable {name}: {why}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where a variable's value can be, and of which kind the object is that has it.
const SOURCES: [(&str, &str); 2] = [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")];

/// Looks up a key of a Secret or ConfigMap: kind, object name, key.
pub(super) type Lookup<'a> = dyn Fn(&str, &str, &str) -> Option<String> + 'a;

/// What `container` of `pod` runs. `pod` must already have its addresses in its status.
pub(super) fn program(pod: &Value, container: &Value, lookup: &Lookup<'_>) -> Result<Program, NotRunnable> {
    let environment = environment(pod, container, lookup)?;
    let words = |field: &str| -> Vec<String> {
        let list = container[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(|word| expand(word, &environment)).collect()
    };
    let (command, arguments) = (words("command"), words("args"));
    let image = container["image"].as_str().unwrap_or_default();
    let mut argv = match last_name(image) {
        _ if !command.is_empty() => command,
        Some("demo") => vec!["podid".to_owned(), "demo".to_owned()],
        Some("podid") => vec!["podid".to_owned()],
        _ => return Err(NotRunnable::Image(image.to_owned())),
    };
    argv.extend(arguments);
    Ok(Program { argv, environment })
}

/// The Secrets and ConfigMaps that a container's environment refers to: kind and name.
pub(super) fn references(container: &Value) -> Vec<(&'static str, &str)> {
    let variables = container["env"].as_array().into_iter().flatten();
    variables
        .flat_map(|variable| {
            SOURCES.map(|(source, kind)| Some((kind, variable["valueFrom"][source]["name"].as_str()?)))
        })
        .flatten()
        .collect()
}

/// The last part of an image reference that has several, less its tag and digest.
fn last_name(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, last) = name.rsplit_once('/')?;
    last.split(':').next()
}

fn environment(
    pod: &Value,
    container: &Value,
    lookup: &Lookup<'_>,
) -> Result<Vec<(String, String)>, NotRunnable> {
    let mut all: Vec<(String, String)> = Vec::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        let value = match &variable["valueFrom"] {
            Value::Null => Ok(Some(expand(variable["value"].as_str().unwrap_or_default(), &all))),
            from => refer(pod, from, lookup),
        };
        match value {
            Ok(Some(value)) => all.push((name, value)),
            Ok(None) => {}
            Err(why) => return Err(NotRunnable::Environment { name, why }),
        }
    }
    Ok(all)
}

fn refer(pod: &Value, from: &Value, lookup: &Lookup<'_>) -> Result<Option<String>, String> {
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return field(pod, path).map(Some).ok_or_else(|| format!("field {path} is not offered by the lab"));
    }
    for (source, kind) in SOURCES {
        let reference = &from[source];
        if let (Some(name), Some(key)) = (reference["name"].as_str(), reference["key"].as_str()) {
            let found = lookup(kind, name, key);
            let optional = reference["optional"].as_bool().unwrap_or(false);
            return if found.is_some() || optional {
                Ok(found)
            } else {
                Err(format!("{kind} {name} has no key {key}"))
            };
        }
    }
    Err("the lab offers fieldRef, secretKeyRef and configMapKeyRef".to_owned())
}

/// The downward API's fields.
fn field(pod: &Value, path: &str) -> Option<String> {
    let (map, rest) = match path.split_once('[') {
        Some((map, rest)) => (map, Some(rest.strip_suffix(']')?.trim_matches(['\'', '"']))),
        None => (path, None),
    };
    let value = match (map, rest) {
        ("metadata.labels", Some(key)) => &pod["metadata"]["labels"][key],
        ("metadata.annotations", Some(key)) => &pod["metadata"]["annotations"][key],
        ("metadata.name", None) => &pod["metadata"]["name"],
        ("metadata.namespace", None) => &pod["metadata"]["namespace"],
        ("metadata.uid", None) => &pod["metadata"]["uid"],
        ("spec.nodeName", None) => &pod["spec"]["nodeName"],
        ("spec.serviceAccountName", None) => &pod["spec"]["serviceAccountName"],
        ("status.podIP" | "status.podIPs", None) => &pod["status"]["podIP"],
        ("status.hostIP" | "status.hostIPs", None) => &pod["status"]["hostIP"],
        _ => return None,
    };
    Some(value.as_str().unwrap_or_default().to_owned())
}

/// `$(NAME)` becomes the variable's value and `$$` a dollar; unknown names stay, as in Kubernetes.
fn expand(text: &str, environment: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            let known = environment.iter().rev().find(|(known, _)| known == name);
            out += &known.map_or_else(|| format!("$({name})"), |(_, value)| value.clone());
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"name": "demo", "namespace": "my-app", "labels": {"aadpodidbinding": "x"}},
               "status": {"podIP": "10.244.1.2"}})
    }

    fn nothing(_: &str, _: &str, _: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_tutorial_s_pod_runs_the_demo_with_its_arguments_and_fields() {
        let container = json!({
            "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/demo:v1.6.3",
            "args": ["--clientid=c", "--pod=$(MY_POD_NAME)"],
            "env": [
                {"name": "MY_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "MY_POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
        });
        let program = program(&pod(), &container, &nothing).unwrap();
        assert_eq!(program.argv, ["podid", "demo", "--clientid=c", "--pod=demo"]);
        assert_eq!(program.environment[1], ("MY_POD_IP".to_owned(), "10.244.1.2".to_owned()));
    }

    #[test]
    fn only_an_image_whose_name_ends_in_demo_is_the_demo() {
        for image in ["r.example:5000/a/demo", "a/demo@sha256:00", "a/demo:v1"] {
            assert_eq!(last_name(image), Some("demo"), "{image}");
        }
        for image in ["demo", "a/demo-two", "a/demo/other", "nginx:1/demo2", ""] {
            assert_ne!(last_name(image), Some("demo"), "{image}");
        }
    }

    #[test]
    fn podid_s_own_image_runs_what_its_arguments_name() {
        let container = json!({"image": "registry.invalid/podid:1", "args": ["demo", "--clientid=c"]});
        assert_eq!(program(&pod(), &container, &nothing).unwrap().argv, ["podid", "demo", "--clientid=c"]);
    }

    #[test]
    fn any_other_image_without_a_command_is_refused_with_all_rules() {
        let message = program(&pod(), &json!({"image": "nginx"}), &nothing).unwrap_err().to_string();
        assert!(message.contains("ends in /demo") && message.contains("explicit command"), "{message}");
    }

    #[test]
    fn an_explicit_command_runs_as_given() {
        let container = json!({"image": "nginx", "command": ["sh", "-c"], "args": ["echo $$HOME $(NONE)"]});
        assert_eq!(program(&pod(), &container, &nothing).unwrap().argv, ["sh", "-c", "echo $HOME $(NONE)"]);
    }

    #[test]
    fn a_missing_secret_key_is_named() {
        let from = json!({"secretKeyRef": {"name": "s", "key": "k"}});
        let container = json!({"command": ["x"], "env": [{"name": "A", "valueFrom": from}]});
        let message = program(&pod(), &container, &nothing).unwrap_err().to_string();
        assert_eq!(message, "environment variable A: Secret s has no key k");
    }
}
