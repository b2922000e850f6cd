//! What is the value of an expression, and of all that is in a piece of a template?

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::template::parse::{Expr, expression, parse};
use crate::template::{Place, TemplateError, call, functions, kind, standin};

/// How deep evaluation may go: variables that use variables, functions in functions.
const DEEPEST: usize = 128;

/// How much may be made from one file, in values and in bytes of text: far more than ARM lets a template
/// grow to (4 MB), and little enough for any machine.
const MOST: usize = 32 << 20;

/// The largest text that one function may make.
pub(super) const LARGEST_TEXT: usize = MOST;

/// What is used up while a file is expanded.
#[derive(Debug, Default)]
pub(super) struct Budget {
    made: Cell<usize>,
    depth: Cell<usize>,
}

/// A value that is made when it is first asked for.
#[derive(Clone, Debug)]
pub(super) enum Lazy {
    Raw(Value),
    /// A loop of variables.
    Loop(Value),
    /// It is being made: whoever asks now leads back to itself.
    Busy,
    Made(Value),
}

/// The variables of `copy` loops, by name.
pub(super) type Loops = Vec<(String, i64)>;

/// What the expressions of one template see.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) place: &'a Place,
    pub(super) budget: &'a Budget,
    /// The name of the deployment.
    pub(super) deployment: String,
    pub(super) parameters: RefCell<HashMap<String, Lazy>>,
    pub(super) variables: RefCell<HashMap<String, Lazy>>,
    /// Functions of the user's own, by `namespace.name`.
    pub(super) functions: Rc<HashMap<String, Value>>,
    pub(super) loops: RefCell<Loops>,
    /// Variables of lambdas, the innermost last.
    pub(super) lambdas: RefCell<Vec<(String, Value)>>,
}

// === impl Budget ===

impl Budget {
    /// Counts something that was made.
    pub(super) fn spend(&self, amount: usize) -> Result<(), TemplateError> {
        let made = self.made.get().saturating_add(amount);
        self.made.set(made);
        if made > MOST { Err(TemplateError::TooMuch("it grows past 32 MB")) } else { Ok(()) }
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(
        &self,
        inner: impl FnOnce() -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        if self.depth.get() >= DEEPEST {
            return Err(TemplateError::TooMuch("it is nested deeper than 128 levels"));
        }
        self.depth.set(self.depth.get() + 1);
        let result = inner();
        self.depth.set(self.depth.get() - 1);
        result
    }
}

/// How much there is in a value.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len(),
        Value::Array(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Object(members) => {
            1 + members.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>()
        }
    }
}

// === impl Scope ===

impl<'a> Scope<'a> {
    /// A scope in which nothing has a name yet.
    pub(super) fn new(place: &'a Place, budget: &'a Budget, deployment: &str) -> Self {
        Self {
            place,
            budget,
            deployment: deployment.to_owned(),
            parameters: RefCell::default(),
            variables: RefCell::default(),
            functions: Rc::default(),
            loops: RefCell::default(),
            lambdas: RefCell::default(),
        }
    }

    /// The piece with every expression in it replaced by its value. Names of members may be expressions, too.
    pub(super) fn value(&self, piece: &Value) -> Result<Value, TemplateError> {
        match piece {
            Value::String(text) => self.text(text),
            Value::Array(values) => self.budget.deeper(|| {
                values.iter().map(|value| self.value(value)).collect::<Result<_, _>>().map(Value::Array)
            }),
            Value::Object(members) => self.budget.deeper(|| self.members(members).map(Value::Object)),
            other => Ok(other.clone()),
        }
    }

    pub(super) fn members(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
        let mut made = Map::new();
        for (name, value) in members {
            if let Some(copies) = self.copied(name, value)? {
                made.extend(copies);
                continue;
            }
            let name = match expression(name) {
                None => name.clone(),
                Some(_) => functions::text("name of a member", &self.text(name)?)?,
            };
            made.insert(name, self.value(value)?);
        }
        Ok(made)
    }

    /// The text, or the value of the expression that it is.
    pub(super) fn text(&self, text: &str) -> Result<Value, TemplateError> {
        match expression(text) {
            Some(inner) => self.expr(&parse(inner)?),
            // `[[` stands for a bracket.
            None => {
                Ok(Value::String(text.strip_prefix("[[").map_or(text.to_owned(), |rest| format!("[{rest}"))))
            }
        }
    }

    /// The value of an expression.
    pub(super) fn expr(&self, expr: &Expr) -> Result<Value, TemplateError> {
        let value = self.budget.deeper(|| match expr {
            Expr::Text(text) => Ok(Value::String(text.clone())),
            Expr::Number(number) => Ok((*number).into()),
            Expr::Call(name, arguments) => call::call(self, name, arguments),
            Expr::Member(of, name) => member(&self.expr(of)?, name),
            Expr::Index(of, index) => {
                let (of, index) = (self.expr(of)?, self.expr(index)?);
                element(&of, &index)
            }
        })?;
        self.budget.spend(size(&value))?;
        Ok(value)
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Result<Value, TemplateError> {
        self.lazy(&self.parameters, "parameter", name)
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Result<Value, TemplateError> {
        self.lazy(&self.variables, "variable", name)
    }

    fn lazy(
        &self,
        all: &RefCell<HashMap<String, Lazy>>,
        what: &'static str,
        name: &str,
    ) -> Result<Value, TemplateError> {
        let key = name.to_lowercase();
        let found = all.borrow_mut().get_mut(&key).map(|value| match value {
            Lazy::Made(value) => Lazy::Made(value.clone()),
            other => std::mem::replace(other, Lazy::Busy),
        });
        match found {
            None => Err(TemplateError::Unknown { what, name: name.to_owned() }),
            Some(Lazy::Busy) => Err(TemplateError::Cycle(format!("the {what} {name:?}"))),
            Some(Lazy::Made(value)) => Ok(value),
            Some(Lazy::Raw(raw)) => self.made(all, key, || self.value(&raw)),
            Some(Lazy::Loop(each)) => self.made(all, key, || self.copies(name, &each)),
        }
    }

    fn made(
        &self,
        all: &RefCell<HashMap<String, Lazy>>,
        key: String,
        make: impl FnOnce() -> Result<Value, TemplateError>,
    ) -> Result<Value, TemplateError> {
        // What runs around whoever asks does not reach into a variable.
        let loops = self.loops.take();
        let value = make();
        self.loops.replace(loops);
        let value = value?;
        all.borrow_mut().insert(key, Lazy::Made(value.clone()));
        Ok(value)
    }
}

/// The member with this name, in any case; of a stand-in a stand-in.
pub(super) fn member(of: &Value, name: &str) -> Result<Value, TemplateError> {
    if let Some(what) = standin::what(of) {
        return Ok(standin::part(what, &format!(".{name}")));
    }
    let found = of.as_object().and_then(|members| {
        members.get(name).or_else(|| {
            members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    });
    found.cloned().ok_or_else(|| TemplateError::Unknown {
        what: if of.is_object() { "member" } else { "member of what is no object," },
        name: name.to_owned(),
    })
}

/// The element at this index, or the member with this name.
pub(super) fn element(of: &Value, index: &Value) -> Result<Value, TemplateError> {
    match (of, index) {
        (_, Value::String(name)) => member(of, name),
        (Value::Array(values), Value::Number(index)) => {
            let found = index.as_u64().and_then(|index| values.get(usize::try_from(index).ok()?));
            found.cloned().ok_or_else(|| TemplateError::Unknown { what: "element", name: index.to_string() })
        }
        _ => match standin::what(of) {
            Some(what) => Ok(standin::part(what, &format!("[{index}]"))),
            None => Err(TemplateError::Form(format!("{} cannot be asked for [{index}]", kind(of)))),
        },
    }
}
