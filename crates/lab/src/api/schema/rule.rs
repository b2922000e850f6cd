//! Does a value keep an `x-kubernetes-validations` rule?
//!
//! Only the part of CEL that podid's definitions use: `self`, texts, whole numbers, `size(…)`, `….matches(…)`,
//! comparisons, `!`, `&&`, `||` and parentheses. A definition with any other rule is refused at start.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

/// A rule that was read.
#[derive(Debug)]
pub(super) struct Rule(Expression);

#[derive(Debug)]
enum Expression {
    This,
    Literal(Value),
    Size(Box<Expression>),
    Matches(Box<Expression>, Regex),
    Not(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// The rest of a rule's text.
struct Text<'a>(&'a str);

/// Longer operators first, so that `<=` is not read as `<`.
const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

// === impl Rule ===

impl Rule {
    /// Reads a rule; `None` if it uses more of CEL than this.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut text = Text(text);
        let rule = text.any()?;
        text.0.trim().is_empty().then_some(Self(rule))
    }

    /// Whether the value keeps the rule. A rule that does not fit the value's type is broken.
    pub(super) fn holds(&self, value: &Value) -> bool {
        self.0.evaluate(value).is_some_and(|result| result == true)
    }
}

// === impl Expression ===

impl Expression {
    fn evaluate(&self, this: &Value) -> Option<Value> {
        match self {
            Self::This => Some(this.clone()),
            Self::Literal(value) => Some(value.clone()),
            Self::Size(of) => Some(match of.evaluate(this)? {
                Value::String(text) => text.chars().count().into(),
                Value::Array(items) => items.len().into(),
                Value::Object(map) => map.len().into(),
                _ => return None,
            }),
            Self::Matches(text, pattern) => Some(pattern.is_match(text.evaluate(this)?.as_str()?).into()),
            Self::Not(of) => Some((!of.evaluate(this)?.as_bool()?).into()),
            Self::Binary("||", left, right) => {
                Some((left.evaluate(this)?.as_bool()? || right.evaluate(this)?.as_bool()?).into())
            }
            Self::Binary("&&", left, right) => {
                Some((left.evaluate(this)?.as_bool()? && right.evaluate(this)?.as_bool()?).into())
            }
            Self::Binary(comparison, left, right) => {
                let order = order(&left.evaluate(this)?, &right.evaluate(this)?)?;
                let holds = match *comparison {
                    "==" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<=" => order.is_le(),
                    ">=" => order.is_ge(),
                    "<" => order.is_lt(),
                    _ => order.is_gt(),
                };
                Some(holds.into())
            }
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        _ => None,
    }
}

// === impl Text ===

impl Text<'_> {
    fn any(&mut self) -> Option<Expression> {
        let mut left = self.all()?;
        while self.take("||") {
            left = Expression::Binary("||", Box::new(left), Box::new(self.all()?));
        }
        Some(left)
    }

    fn all(&mut self) -> Option<Expression> {
        let mut left = self.comparison()?;
        while self.take("&&") {
            left = Expression::Binary("&&", Box::new(left), Box::new(self.comparison()?));
        }
        Some(left)
    }

    fn comparison(&mut self) -> Option<Expression> {
        let left = self.term()?;
        match COMPARISONS.into_iter().find(|comparison| self.take(comparison)) {
            Some(comparison) => Some(Expression::Binary(comparison, Box::new(left), Box::new(self.term()?))),
            None => Some(left),
        }
    }

    fn term(&mut self) -> Option<Expression> {
        if self.take("!") {
            return Some(Expression::Not(Box::new(self.term()?)));
        }
        let mut term = if self.take("(") {
            self.closed()?
        } else if self.take("size(") {
            Expression::Size(Box::new(self.closed()?))
        } else if self.take("self") {
            Expression::This
        } else {
            Expression::Literal(self.literal()?)
        };
        while self.take(".matches(") {
            let pattern = Regex::new(self.literal()?.as_str()?).ok()?;
            term = Expression::Matches(Box::new(term), pattern);
            self.take(")").then_some(())?;
        }
        Some(term)
    }

    fn closed(&mut self) -> Option<Expression> {
        let inner = self.any()?;
        self.take(")").then_some(inner)
    }

    fn literal(&mut self) -> Option<Value> {
        for (opening, closing, raw) in
            [("r'", '\'', true), ("r\"", '"', true), ("'", '\'', false), ("\"", '"', false)]
        {
            if self.take(opening) {
                let (text, rest) = self.0.split_once(closing)?;
                self.0 = rest;
                // Escapes outside of raw texts are beyond this.
                return (raw || !text.contains('\\')).then(|| text.into());
            }
        }
        self.0 = self.0.trim_start();
        let end = self.0.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits.parse::<i64>().ok().map(Value::from)
    }

    fn take(&mut self, token: &str) -> bool {
        match self.0.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_judge_values() {
        for (rule, value, expected) in [
            ("self != ''", json!(""), false),
            ("self != ''", json!("a"), true),
            ("self >= 0 && self <= 2", json!(2), true),
            ("self >= 0 && self <= 2", json!(3), false),
            ("size(self) > 0", json!({}), false),
            ("size(self) > 0", json!({"a": "b"}), true),
            (r"self == '' || self.matches(r'(?i)^/Sub/[\p{L}.()]+$')", json!("/sub/a.(b)"), true),
            (r"self == '' || self.matches(r'(?i)^/Sub/[\p{L}.()]+$')", json!("/sub/a/b"), false),
            ("!(self == 1) && (self < -1 || self > 1)", json!(-2), true),
            ("self > 1", json!("text"), false),
        ] {
            assert_eq!(Rule::parse(rule).unwrap().holds(&value), expected, "{rule} {value}");
        }
    }

    #[test]
    fn other_rules_are_not_understood() {
        for rule in
            ["", "self.spec.a == 1", "self.all(x, x > 1)", "self ==", "(self", "self == '\\n'", "self 1"]
        {
            assert!(Rule::parse(rule).is_none(), "{rule}");
        }
    }
}
