//! What does a `copy` loop make?

use serde_json::{Map, Value};

use crate::template::TemplateError;
use crate::template::eval::{Scope, size};

/// The most that ARM lets a loop make.
const MOST: i64 = 800;

// === impl Scope ===

impl Scope<'_> {
    /// What a member called `copy` makes of its neighbours: arrays, by name. None if it is no loop.
    pub(super) fn copied(
        &self,
        name: &str,
        value: &Value,
    ) -> Result<Option<Map<String, Value>>, TemplateError> {
        let Some(loops) = value.as_array().filter(|_| name == "copy") else { return Ok(None) };
        if !loops.iter().all(|each| each.get("name").is_some() && each.get("count").is_some()) {
            return Ok(None);
        }
        let mut made = Map::new();
        for each in loops {
            let name = self.value(&each["name"])?;
            let name = name.as_str().unwrap_or_default().to_owned();
            let values = self.copies(&name, each)?;
            made.insert(name, values);
        }
        Ok(Some(made))
    }

    /// What one loop makes of its `input`.
    pub(super) fn copies(&self, name: &str, each: &Value) -> Result<Value, TemplateError> {
        let make = || {
            let value = self.value(&each["input"])?;
            self.budget.spend(size(&value))?;
            Ok(value)
        };
        self.repeat(name, &each["count"], make).map(Value::Array)
    }

    /// What `make` gives, as often as `count` says, with the index of the loop known to `copyIndex()`.
    pub(super) fn repeat<T>(
        &self,
        name: &str,
        count: &Value,
        make: impl Fn() -> Result<T, TemplateError>,
    ) -> Result<Vec<T>, TemplateError> {
        let count = self.value(count)?;
        let count = count
            .as_i64()
            .ok_or_else(|| TemplateError::Form(format!("the loop {name:?} has no number as its count")))?;
        if count > MOST {
            return Err(TemplateError::TooMuch("a loop runs more than 800 times"));
        }
        let mut all = Vec::new();
        for index in 0..count {
            self.loops.borrow_mut().push((name.to_owned(), index));
            let value = self.budget.spend(1).and_then(|()| make());
            self.loops.borrow_mut().pop();
            all.push(value?);
        }
        Ok(all)
    }
}
