//! Does a document keep an XML schema, of the few words that the schema of NUnit's results is written in?

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

/// What in `text` breaks the schema.
pub(crate) fn errors(schema: &str, text: &str) -> Vec<String> {
    let schema = Document::parse(schema).unwrap();
    let document = Document::parse(text).unwrap();
    let top = schema.root_element();
    let named = |kind: &str| -> BTreeMap<String, Node<'_, '_>> {
        let nodes =
            top.children().filter(|node| node.has_tag_name(("http://www.w3.org/2001/XMLSchema", kind)));
        nodes.map(|node| (node.attribute("name").unwrap().to_owned(), node)).collect()
    };
    let mut check = Check { types: named("complexType"), elements: named("element"), errors: Vec::new() };
    let root = document.root_element();
    match check.elements.get(root.tag_name().name()).copied() {
        None => check.errors.push(format!("{} may not be at the top", root.tag_name().name())),
        Some(declared) => check.element(declared, root),
    }
    check.errors
}

struct Check<'a, 'b> {
    types: BTreeMap<String, Node<'a, 'b>>,
    elements: BTreeMap<String, Node<'a, 'b>>,
    errors: Vec<String>,
}

impl<'a, 'b> Check<'a, 'b> {
    fn element(&mut self, declared: Node<'a, 'b>, node: Node<'_, '_>) {
        let kind = declared.attribute("type").unwrap();
        let Some(complex) = self.types.get(kind).copied() else {
            if node.has_children() && node.children().any(|child| child.is_element()) {
                self.errors.push(format!("{} holds elements", node.tag_name().name()));
            }
            return;
        };
        self.attributes(complex, node);
        let children: Vec<_> = node.children().filter(Node::is_element).collect();
        let model = complex.children().find(|part| ["sequence", "choice"].contains(&part.tag_name().name()));
        let taken = model.map_or(0, |model| self.model(model, node.tag_name().name(), &children));
        for child in &children[taken..] {
            let (name, parent) = (child.tag_name().name(), node.tag_name().name());
            self.errors.push(format!("{name} may not stand there in {parent}"));
        }
    }

    fn attributes(&mut self, complex: Node<'a, 'b>, node: Node<'_, '_>) {
        let name = node.tag_name().name();
        let declared: Vec<_> =
            complex.children().filter(|part| part.tag_name().name() == "attribute").collect();
        for attribute in &declared {
            let key = attribute.attribute("name").unwrap();
            let value = node.attribute(key);
            if value.is_none() && attribute.attribute("use") == Some("required") {
                self.errors.push(format!("{name} lacks {key}"));
            }
            let decimal = attribute.attribute("type").is_some_and(|kind| kind.ends_with(":decimal"));
            if decimal && value.is_some_and(|value| value.parse::<f64>().is_err()) {
                self.errors.push(format!("{name} has {key} that is no number"));
            }
        }
        for attribute in node.attributes().filter(|attribute| attribute.namespace().is_none()) {
            if !declared.iter().any(|known| known.attribute("name") == Some(attribute.name())) {
                self.errors.push(format!("{name} may not have {}", attribute.name()));
            }
        }
    }

    /// How many of `children` the model takes.
    fn model(&mut self, model: Node<'a, 'b>, parent: &str, children: &[Node<'_, '_>]) -> usize {
        let choice = model.tag_name().name() == "choice";
        let mut taken = 0;
        for part in model.children().filter(Node::is_element) {
            if ["sequence", "choice"].contains(&part.tag_name().name()) {
                taken += self.model(part, parent, &children[taken..]);
                continue;
            }
            let declared = part.attribute("ref").map_or(part, |name| self.elements[name]);
            let name = declared.attribute("name").unwrap();
            let least: usize = part.attribute("minOccurs").map_or(1, |least| least.parse().unwrap());
            let most = if part.attribute("maxOccurs") == Some("unbounded") { usize::MAX } else { 1 };
            let found =
                children[taken..].iter().take(most).take_while(|child| child.tag_name().name() == name);
            let found: Vec<_> = found.copied().collect();
            if found.len() < least && !choice {
                self.errors.push(format!("{parent} lacks {name}"));
            }
            for child in &found {
                self.element(declared, *child);
            }
            taken += found.len();
            if choice && !found.is_empty() {
                break;
            }
        }
        taken
    }
}
