//! Which resources does a template make?

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::template::eval::{Budget, Lazy, Scope, size};
use crate::template::{Place, TemplateError, functions, kind, standin};

/// A resource that a template makes.
#[derive(Debug, PartialEq)]
pub(crate) struct Resource {
    /// Which of the template's own resources it comes from, counted from 0.
    pub(crate) origin: usize,
    /// The resource, with its type and name in full, and with its id.
    pub(crate) data: Value,
}

/// What a template makes.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    pub(crate) resources: Vec<Resource>,
    /// Templates that are elsewhere, and so were not looked at.
    pub(crate) links: Vec<String>,
}

/// What `template` makes with `parameters`, each `{"value": …}` or a reference to a secret.
pub(crate) fn expand(
    template: &Value,
    parameters: &Map<String, Value>,
    place: &Place,
    deployment: &str,
) -> Result<Expanded, TemplateError> {
    let budget = Budget::default();
    let mut expanded = Expanded::default();
    one_template(template, parameters, place, &budget, deployment, &mut |origin, made| {
        for made in made {
            match made {
                Made::Resource(data) => expanded.resources.push(Resource { origin, data }),
                Made::Link(link) => expanded.links.push(link),
            }
        }
    })?;
    Ok(expanded)
}

/// One thing that came of a resource of a template.
enum Made {
    Resource(Value),
    Link(String),
}

fn one_template(
    template: &Value,
    given: &Map<String, Value>,
    place: &Place,
    budget: &Budget,
    deployment: &str,
    take: &mut dyn FnMut(usize, Vec<Made>),
) -> Result<(), TemplateError> {
    let mut scope = Scope::new(place, budget, deployment);
    scope.parameters = parameters(template, given)?.into();
    scope.variables = variables(template).into();
    scope.functions = Rc::new(own_functions(template));
    for (origin, resource) in pieces(template)?.into_iter().enumerate() {
        let mut made = Vec::new();
        looped(&scope, resource, None, &mut made)?;
        take(origin, made);
    }
    Ok(())
}

/// The resources of a template: a list, or an object of those with symbolic names.
fn pieces(template: &Value) -> Result<Vec<&Value>, TemplateError> {
    match &template["resources"] {
        Value::Array(all) => Ok(all.iter().collect()),
        // By name, whatever order the parser keeps.
        Value::Object(all) => Ok(all.iter().collect::<BTreeMap<_, _>>().into_values().collect()),
        Value::Null => Ok(Vec::new()),
        other => Err(TemplateError::Form(format!("\"resources\" is {} and no list", kind(other)))),
    }
}

fn parameters(template: &Value, given: &Map<String, Value>) -> Result<HashMap<String, Lazy>, TemplateError> {
    let given: HashMap<String, &Value> =
        given.iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let mut all = HashMap::new();
    let mut missing = Vec::new();
    for (name, declared) in template["parameters"].as_object().into_iter().flatten() {
        let key = name.to_lowercase();
        let value = match given.get(&key).copied() {
            Some(given) if given.get("value").is_some() => Lazy::Made(given["value"].clone()),
            Some(given) if given.get("reference").is_some() => {
                Lazy::Made(standin::of(&format!("secret of the parameter '{name}'")))
            }
            _ => match (declared.get("defaultValue"), declared["nullable"].as_bool()) {
                (Some(default), _) => Lazy::Raw(default.clone()),
                (None, Some(true)) => Lazy::Made(Value::Null),
                (None, _) => {
                    missing.push(name.as_str());
                    continue;
                }
            },
        };
        all.insert(key, value);
    }
    if missing.is_empty() { Ok(all) } else { Err(TemplateError::Parameters(missing.join(", "))) }
}

fn variables(template: &Value) -> HashMap<String, Lazy> {
    let mut all = HashMap::new();
    for (name, value) in template["variables"].as_object().into_iter().flatten() {
        match value.as_array().filter(|_| name == "copy") {
            None => {
                all.insert(name.to_lowercase(), Lazy::Raw(value.clone()));
            }
            Some(loops) => {
                let named =
                    |each: &Value| Some((each["name"].as_str()?.to_lowercase(), Lazy::Loop(each.clone())));
                all.extend(loops.iter().filter_map(named));
            }
        }
    }
    all
}

fn own_functions(template: &Value) -> HashMap<String, Value> {
    let mut all = HashMap::new();
    for space in template["functions"].as_array().into_iter().flatten() {
        let name = space["namespace"].as_str().unwrap_or_default();
        for (member, function) in space["members"].as_object().into_iter().flatten() {
            all.insert(format!("{name}.{member}").to_lowercase(), function.clone());
        }
    }
    all
}

/// A resource, as often as its loop says.
fn looped(
    scope: &Scope<'_>,
    piece: &Value,
    parent: Option<&Value>,
    made: &mut Vec<Made>,
) -> Result<(), TemplateError> {
    let Some(members) = piece.as_object() else {
        return Err(TemplateError::Form(format!("a resource is {} and no object", kind(piece))));
    };
    if members.get("existing").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    match members.get("copy").filter(|copy| copy.is_object()) {
        None => one(scope, members, parent, made),
        Some(copy) => {
            let name = scope.value(&copy["name"])?;
            let each = std::cell::RefCell::new(Vec::new());
            scope.repeat(name.as_str().unwrap_or_default(), &copy["count"], || {
                one(scope, members, parent, &mut each.borrow_mut())
            })?;
            made.append(&mut each.into_inner());
            Ok(())
        }
    }
}

fn one(
    scope: &Scope<'_>,
    members: &Map<String, Value>,
    parent: Option<&Value>,
    made: &mut Vec<Made>,
) -> Result<(), TemplateError> {
    if let Some(condition) = members.get("condition")
        && !functions::truth("condition", &scope.value(condition)?)?
    {
        return Ok(());
    }
    let kind = scope.value(&members["type"])?;
    if kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("Microsoft.Resources/deployments")) {
        return scope.budget.deeper(|| deployment(scope, members, made));
    }
    let left_out = ["condition", "copy", "resources", "dependsOn", "comments"];
    let kept = members.iter().filter(|(name, _)| !left_out.contains(&name.as_str()));
    let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut data = Value::Object(scope.members(&kept)?);
    in_full(&mut data, parent);
    let id = id(scope.place, &data);
    data["id"] = json!(id);
    scope.budget.spend(size(&data))?;

    let mut children = Vec::new();
    let nested = members.get("resources").and_then(Value::as_array);
    scope.budget.deeper(|| {
        nested.into_iter().flatten().try_for_each(|child| looped(scope, child, Some(&data), &mut children))
    })?;
    made.push(Made::Resource(data));
    made.append(&mut children);
    Ok(())
}

/// Gives a child the type and the name that it has in full.
fn in_full(data: &mut Value, parent: Option<&Value>) {
    let Some(parent) = parent else { return };
    let kind = data["type"].as_str().unwrap_or_default();
    // One with a provider of its own stands beside its parent in all but place.
    if kind.contains('.') && kind.contains('/') {
        return;
    }
    let joined = |name: &str| {
        format!("{}/{}", parent[name].as_str().unwrap_or_default(), data[name].as_str().unwrap_or_default())
    };
    let (kind, name) = (joined("type"), joined("name"));
    data["type"] = json!(kind);
    data["name"] = json!(name);
}

fn id(place: &Place, data: &Value) -> String {
    let (kind, name) = (data["type"].as_str().unwrap_or_default(), data["name"].as_str().unwrap_or_default());
    let (provider, steps) = kind.split_once('/').unwrap_or((kind, ""));
    let steps = steps.split('/').zip(name.split('/')).map(|(step, name)| format!("/{step}/{name}"));
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/{provider}{}",
        place.subscription,
        place.group,
        steps.collect::<String>()
    )
}

/// A deployment in a deployment.
fn deployment(
    scope: &Scope<'_>,
    members: &Map<String, Value>,
    made: &mut Vec<Made>,
) -> Result<(), TemplateError> {
    let text = |name: &str| -> Result<Option<String>, TemplateError> {
        let value = members.get(name).map(|value| scope.value(value)).transpose()?;
        Ok(value.as_ref().and_then(Value::as_str).map(str::to_owned))
    };
    let name = text("name")?.unwrap_or_default();
    let mut place = scope.place.clone();
    place.subscription = text("subscriptionId")?.unwrap_or(place.subscription);
    place.group = text("resourceGroup")?.unwrap_or(place.group);
    let properties = members.get("properties").unwrap_or(&Value::Null);
    let Some(template) = properties.get("template").filter(|template| template.is_object()) else {
        let link = scope.value(&properties["templateLink"])?;
        let whereto = ["uri", "relativePath", "id"].iter().find_map(|key| link[key].as_str());
        made.push(Made::Link(format!("{} of the deployment {name:?}", whereto.unwrap_or("a template"))));
        return Ok(());
    };
    let inner = properties["expressionEvaluationOptions"]["scope"].as_str();
    if inner.is_some_and(|inner| inner.eq_ignore_ascii_case("inner")) {
        let given = match properties.get("parameters") {
            None => Map::new(),
            Some(given) => scope.value(given)?.as_object().cloned().unwrap_or_default(),
        };
        return one_template(template, &given, &place, scope.budget, &name, &mut |_, mut inner| {
            made.append(&mut inner);
        });
    }
    // Otherwise what is inside sees the names that are outside.
    pieces(template)?.into_iter().try_for_each(|piece| looped(scope, piece, None, made))
}
