use serde_json::{Map, Value, json};

use super::*;

/// What the output `value` of a template would be: the properties of its only resource.
fn value_in(template: &Value, expression: &Value) -> Result<Value, TemplateError> {
    let mut template = template.clone();
    template["resources"] = json!([{ "type": "A.B/c", "name": "n", "properties": { "value": expression } }]);
    let expanded = expand(&template, &Map::new(), &Place::default(), "test")?;
    Ok(expanded.resources[0].data["properties"]["value"].clone())
}

fn value(expression: &str) -> Result<Value, TemplateError> {
    value_in(&json!({}), &json!(expression))
}

#[track_caller]
fn gives(expression: &str, wanted: Value) {
    assert_eq!(value(expression), Ok(wanted), "{expression}");
}

#[test]
fn functions_on_text_give_what_arm_gives() {
    gives("[concat('a', 1, 'b')]", json!("a1b"));
    gives("[format('{0}-{1:D2}-{{x}}', 'a', 2)]", json!("a-2-{x}"));
    gives("[toLower('AbC')]", json!("abc"));
    gives("[replace('a-b-c', '-', '')]", json!("abc"));
    gives("[split('a,b;c', createArray(',', ';'))]", json!(["a", "b", "c"]));
    gives("[substring('hello', 1, 3)]", json!("ell"));
    gives("[startsWith('Hello', 'he')]", json!(true));
    gives("[indexOf('abc', 'C')]", json!(2));
    gives("[padLeft('7', 3, '0')]", json!("007"));
    gives("[string(createObject('a', 1))]", json!("{\"a\":1}"));
    gives("[base64ToString(base64('ü'))]", json!("ü"));
    gives("[uri('https://a/b/', 'c.json')]", json!("https://a/b/c.json"));
    gives("[uriComponent('a b')]", json!("a%20b"));
    gives("[join(createArray('a', 1), ',')]", json!("a,1"));
}

#[test]
fn functions_on_lists_give_what_arm_gives() {
    gives("[concat(createArray(1), createArray(2))]", json!([1, 2]));
    gives("[union(createArray(1, 2), createArray(2, 3))]", json!([1, 2, 3]));
    gives(
        "[union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))]",
        json!({"a": {"x": 1, "y": 2}}),
    );
    gives("[intersection(createArray(1, 2), createArray(2, 3))]", json!([2]));
    gives("[length('abc')]", json!(3));
    gives("[empty(json('null'))]", json!(true));
    gives("[contains(createObject('Abc', 1), 'abc')]", json!(true));
    gives("[first(skip(range(5, 3), 1))]", json!(6));
    gives("[last('abc')]", json!("c"));
    gives("[items(createObject('a', 1))]", json!([{"key": "a", "value": 1}]));
    gives("[tryGet(createObject('a', 1), 'b', 'c')]", json!(null));
    gives("[flatten(createArray(createArray(1), createArray(2)))]", json!([1, 2]));
    gives("[coalesce(null(), 'a')]", json!("a"));
}

#[test]
fn functions_on_numbers_and_flags_give_what_arm_gives() {
    gives("[add(mul(2, 3), sub(10, mod(7, 4)))]", json!(13));
    gives("[max(createArray(1, 5, 3))]", json!(5));
    gives("[and(true(), not(false()), greaterOrEquals(2, 2))]", json!(true));
    gives("[or(bool('false'), equals('a', 'A'))]", json!(false));
    gives("[int('42')]", json!(42));
    assert!(matches!(value("[div(1, 0)]"), Err(TemplateError::Call { .. })));
}

#[test]
fn functions_that_take_functions_work() {
    gives("[map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))]", json!([0, 2, 4]));
    gives("[filter(range(0, 4), lambda('i', greater(lambdaVariables('i'), 1)))]", json!([2, 3]));
    gives(
        "[reduce(range(0, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]",
        json!(6),
    );
    gives("[toObject(createArray('x'), lambda('k', lambdaVariables('k')), lambda('k', 1))]", json!({"x": 1}));
}

#[test]
fn ids_are_built_from_the_place_of_the_deployment() {
    let base = "/subscriptions/ffffffff-ffff-ffff-ffff-ffffffffffff";
    gives(
        "[resourceId('A.B/c/d', 'x', 'y')]",
        json!(format!("{base}/resourceGroups/ps-rule-test-rg/providers/A.B/c/x/d/y")),
    );
    gives("[resourceId('g', 'A.B/c', 'x')]", json!(format!("{base}/resourceGroups/g/providers/A.B/c/x")));
    gives(
        "[resourceId('s', 'g', 'A.B/c', 'x')]",
        json!("/subscriptions/s/resourceGroups/g/providers/A.B/c/x"),
    );
    gives("[subscriptionResourceId('A.B/c', 'x')]", json!(format!("{base}/providers/A.B/c/x")));
    gives("[extensionResourceId('/s/1', 'A.B/c', 'x')]", json!("/s/1/providers/A.B/c/x"));
    gives("[resourceGroup().location]", json!("eastus"));
    gives("[subscription()['subscriptionId']]", json!("ffffffff-ffff-ffff-ffff-ffffffffffff"));
    assert!(matches!(value("[resourceId('A.B/c/d', 'x')]"), Err(TemplateError::Call { .. })));
}

#[test]
fn what_only_azure_knows_is_a_stand_in_that_says_so() {
    gives("[reference('id', '2020-01-01').principalId]", json!("{{reference('id').principalId}}"));
    gives("[listKeys('id', '1').keys[0].value]", json!("{{listKeys('id').keys[0].value}}"));
    gives("[if(reference('id').enabled, 1, 2)]", json!(1));
    gives("[equals(reference('id').x, 'y')]", json!(false));
}

#[test]
fn only_the_branch_that_is_taken_is_computed() {
    gives("[if(true(), 1, parameters('none'))]", json!(1));
    gives("[if(equals(1, 2), div(1, 0), 'b')]", json!("b"));
}

#[test]
fn text_that_begins_with_a_doubled_bracket_is_text() {
    gives("[[concat('a')]", json!("[concat('a')]"));
    gives("plain", json!("plain"));
}

#[test]
fn parameters_and_variables_are_looked_up_in_any_case() {
    let template = json!({
        "parameters": {"Size": {"type": "int", "defaultValue": "[length(variables('ALL'))]"}},
        "variables": {"all": ["a", "b"], "copy": [{"name": "made", "count": 2, "input": "[copyIndex('made', 1)]"}]},
    });
    assert_eq!(value_in(&template, &json!("[parameters('size')]")), Ok(json!(2)));
    assert_eq!(value_in(&template, &json!("[variables('Made')]")), Ok(json!([1, 2])));
    let looped = json!({"copy": [{"name": "pools", "count": 2, "input": {"n": "[copyIndex('pools')]"}}]});
    assert_eq!(value_in(&template, &looped), Ok(json!({"pools": [{"n": 0}, {"n": 1}]})));
}

#[test]
fn functions_of_the_template_s_own_see_their_parameters_only() {
    let member = json!({"parameters": [{"name": "a", "type": "string"}], "output": {"type": "string", "value": "[concat(parameters('a'), '!')]"}});
    let template = json!({"functions": [{"namespace": "my", "members": {"shout": member}}]});
    assert_eq!(value_in(&template, &json!("[my.shout('x')]")), Ok(json!("x!")));
    assert!(matches!(value_in(&template, &json!("[my.shout()]")), Err(TemplateError::Call { .. })));
}

#[test]
fn what_is_not_there_or_not_known_is_named() {
    let unknown = |what, name: &str| Err(TemplateError::Unknown { what, name: name.to_owned() });
    assert_eq!(value("[parameters('a')]"), unknown("parameter", "a"));
    assert_eq!(value("[variables('a')]"), unknown("variable", "a"));
    assert_eq!(value("[createObject('a', 1).b]"), unknown("member", "b"));
    assert_eq!(value("[createArray(1)[1]]"), unknown("element", "1"));
    assert_eq!(
        value("[cidrSubnet('10.0.0.0/16', 24, 0)]"),
        Err(TemplateError::Function("cidrSubnet".to_owned()))
    );
    let template = json!({"parameters": {"a": {"type": "string"}, "b": {"type": "int"}}});
    assert_eq!(value_in(&template, &json!("x")), Err(TemplateError::Parameters("a, b".to_owned())));
}

#[test]
fn a_template_that_leads_back_to_itself_is_refused() {
    let template = json!({"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}});
    assert!(matches!(value_in(&template, &json!("[variables('a')]")), Err(TemplateError::Cycle(_))));
    let template = json!({"parameters": {"a": {"defaultValue": "[parameters('a')]"}}});
    assert!(matches!(value_in(&template, &json!("[parameters('a')]")), Err(TemplateError::Cycle(_))));
    let member = json!({"parameters": [], "output": {"value": "[my.again()]"}});
    let template = json!({"functions": [{"namespace": "my", "members": {"again": member}}]});
    assert!(matches!(value_in(&template, &json!("[my.again()]")), Err(TemplateError::TooMuch(_))));
}

#[test]
fn a_template_that_grows_without_bounds_is_refused() {
    let mut variables = Map::new();
    variables.insert("v0".to_owned(), json!("0123456789abcdef"));
    for step in 1..60 {
        let before = step - 1;
        variables.insert(
            format!("v{step}"),
            json!(format!("[concat(variables('v{before}'), variables('v{before}'))]")),
        );
    }
    let template = json!({ "variables": variables });
    assert!(matches!(value_in(&template, &json!("[variables('v59')]")), Err(TemplateError::TooMuch(_))));
    let inner = json!({"copy": [{"name": "b", "count": 800, "input": {"copy": [{"name": "c", "count": 800, "input": "0123456789"}]}}]});
    let looped = json!({"copy": [{"name": "a", "count": 800, "input": inner}]});
    assert!(matches!(value_in(&json!({}), &looped), Err(TemplateError::TooMuch(_))));
    assert!(matches!(value("[padLeft('', 2000000000)]"), Err(TemplateError::TooMuch(_))));
    assert!(matches!(value("[range(0, 2000000000)]"), Err(TemplateError::Call { .. })));
}

#[test]
fn resources_are_repeated_left_out_and_named_in_full() {
    let template = json!({"resources": [
        {"type": "A.B/c", "name": "[concat('n', copyIndex())]", "copy": {"name": "l", "count": 2}, "resources": [
            {"type": "d", "name": "x"}, {"type": "Other.P/e", "name": "y"},
        ]},
        {"type": "A.B/c", "name": "no", "condition": "[equals(1, 2)]"},
        {"type": "A.B/c", "name": "there", "existing": true},
    ]});
    let expanded = expand(&template, &Map::new(), &Place::default(), "d").unwrap();
    let said: Vec<_> = expanded
        .resources
        .iter()
        .map(|resource| {
            let text = |name: &str| resource.data[name].as_str().unwrap_or_default().to_owned();
            (resource.origin, text("type"), text("name"))
        })
        .collect();
    let wanted = [
        ("A.B/c", "n0"),
        ("A.B/c/d", "n0/x"),
        ("Other.P/e", "y"),
        ("A.B/c", "n1"),
        ("A.B/c/d", "n1/x"),
        ("Other.P/e", "y"),
    ];
    assert_eq!(said, wanted.map(|(kind, name)| (0, kind.to_owned(), name.to_owned())));
    let id = expanded.resources[1].data["id"].as_str().unwrap();
    assert!(id.ends_with("/resourceGroups/ps-rule-test-rg/providers/A.B/c/n0/d/x"), "{id}");
}

#[test]
fn a_deployment_inside_sees_its_own_names_or_those_outside() {
    let inside = json!({
        "parameters": {"p": {"defaultValue": "inner"}},
        "resources": [{"type": "A.B/c", "name": "[parameters('p')]"}],
    });
    let deployment = |scope: Option<&str>| {
        json!({
            "type": "Microsoft.Resources/deployments", "name": "d", "resourceGroup": "other",
            "properties": {
                "expressionEvaluationOptions": {"scope": scope},
                "parameters": {"p": {"value": "[concat(parameters('p'), '-given')]"}},
                "template": inside,
            },
        })
    };
    let template = json!({
        "parameters": {"p": {"defaultValue": "outer"}},
        "resources": {"a": deployment(Some("inner")), "b": deployment(None)},
    });
    let expanded = expand(&template, &Map::new(), &Place::default(), "d").unwrap();
    let names: Vec<_> =
        expanded.resources.iter().map(|resource| resource.data["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["outer-given", "outer"]);
    assert!(expanded.resources[0].data["id"].as_str().unwrap().contains("/resourceGroups/other/"));
}

#[test]
fn a_linked_template_is_named_and_not_looked_at() {
    let template = json!({"resources": [{
        "type": "Microsoft.Resources/deployments", "name": "d",
        "properties": {"templateLink": {"uri": "https://example.com/a.json"}},
    }]});
    let expanded = expand(&template, &Map::new(), &Place::default(), "d").unwrap();
    assert_eq!(expanded.links, ["https://example.com/a.json of the deployment \"d\""]);
}
