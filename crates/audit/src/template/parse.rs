//! What does an expression in brackets say?

use crate::template::TemplateError;

/// How deep an expression may be.
const DEEPEST: usize = 64;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Text(String),
    Number(i64),
    /// `name(arguments)`.
    Call(String, Vec<Expr>),
    /// `of.name`.
    Member(Box<Expr>, String),
    /// `of[index]`.
    Index(Box<Expr>, Box<Expr>),
}

/// The expression in `text`, if it is one: `[…]`, but not `[[…`, which means a text that begins with a
/// bracket.
pub(super) fn expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    (!inner.starts_with('[')).then_some(inner)
}

/// Reads what is between the brackets.
pub(super) fn parse(text: &str) -> Result<Expr, TemplateError> {
    let mut reader = Reader { text, at: 0 };
    let whole = reader.expression(0).and_then(|whole| {
        reader.blanks();
        if reader.at == text.len() { Ok(whole) } else { Err(reader.unexpected()) }
    });
    whole.map_err(|why| match why {
        Stop::TooDeep => TemplateError::TooMuch("an expression is nested deeper than 64 levels"),
        Stop::Bad(why) => TemplateError::Syntax { text: shortened(text), why },
    })
}

fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("[{start}]")
}

enum Stop {
    TooDeep,
    Bad(String),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

// === impl Reader ===

impl Reader<'_> {
    fn expression(&mut self, depth: usize) -> Result<Expr, Stop> {
        if depth > DEEPEST {
            return Err(Stop::TooDeep);
        }
        self.blanks();
        let mut whole = match self.peek() {
            Some('\'') => Expr::Text(self.quoted()?),
            Some(letter) if letter.is_ascii_digit() || letter == '-' => self.number()?,
            Some(letter) if letter.is_ascii_alphabetic() || letter == '_' => self.call(depth)?,
            _ => return Err(self.unexpected()),
        };
        // A long chain nests as deep as one of brackets.
        for links in depth.. {
            if links > DEEPEST {
                return Err(Stop::TooDeep);
            }
            self.blanks();
            whole = match self.peek() {
                Some('.') => {
                    self.at += 1;
                    Expr::Member(Box::new(whole), self.name()?)
                }
                Some('[') => {
                    self.at += 1;
                    let index = self.expression(depth + 1)?;
                    self.take(']')?;
                    Expr::Index(Box::new(whole), Box::new(index))
                }
                _ => break,
            };
        }
        Ok(whole)
    }

    fn call(&mut self, depth: usize) -> Result<Expr, Stop> {
        let mut name = self.name()?;
        self.blanks();
        // A function of the user's own has a namespace.
        while self.peek() == Some('.') {
            self.at += 1;
            name = format!("{name}.{}", self.name()?);
            self.blanks();
        }
        self.take('(')?;
        let mut arguments = Vec::new();
        self.blanks();
        if self.peek() == Some(')') {
            self.at += 1;
            return Ok(Expr::Call(name, arguments));
        }
        loop {
            arguments.push(self.expression(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(')') => {
                    self.at += 1;
                    return Ok(Expr::Call(name, arguments));
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn name(&mut self) -> Result<String, Stop> {
        let start = self.at;
        while self.peek().is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            self.next();
        }
        if start == self.at { Err(self.unexpected()) } else { Ok(self.text[start..self.at].to_owned()) }
    }

    fn number(&mut self) -> Result<Expr, Stop> {
        let start = self.at;
        self.next();
        while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            self.next();
        }
        let digits = &self.text[start..self.at];
        digits.parse().map(Expr::Number).map_err(|_| Stop::Bad(format!("{digits} is no whole number")))
    }

    /// A text in quotes; a quote in it is doubled.
    fn quoted(&mut self) -> Result<String, Stop> {
        self.take('\'')?;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(Stop::Bad("a text is not closed by '".to_owned())),
                Some('\'') if self.peek() == Some('\'') => {
                    self.next();
                    text.push('\'');
                }
                Some('\'') => return Ok(text),
                Some(letter) => text.push(letter),
            }
        }
    }

    fn take(&mut self, wanted: char) -> Result<(), Stop> {
        self.blanks();
        if self.peek() == Some(wanted) {
            self.at += wanted.len_utf8();
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn unexpected(&self) -> Stop {
        Stop::Bad(match self.peek() {
            None => "it ends too early".to_owned(),
            Some(letter) => format!(
                "{letter:?} is not expected at character {}",
                self.text[..self.at].chars().count() + 1
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: Vec<Expr>) -> Expr {
        Expr::Call(name.to_owned(), arguments)
    }

    #[test]
    fn an_expression_is_read_as_it_nests() {
        let text = " concat( 'it''s', parameters('a').b[0] , -1 ) ";
        let a = call("parameters", vec![Expr::Text("a".to_owned())]);
        let b = Expr::Member(Box::new(a), "b".to_owned());
        let first = Expr::Index(Box::new(b), Box::new(Expr::Number(0)));
        let whole = call("concat", vec![Expr::Text("it's".to_owned()), first, Expr::Number(-1)]);
        assert_eq!(parse(text), Ok(whole));
        assert_eq!(parse("my.own()"), Ok(call("my.own", vec![])));
    }

    #[test]
    fn a_bracket_that_is_doubled_is_text() {
        assert_eq!(expression("[a()]"), Some("a()"));
        for text in ["[[a()]", "a()", "[a() ", "", "["] {
            assert_eq!(expression(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_named_with_the_place() {
        for text in ["", "a(", "a('", "a(1,)", "a() b", "'a", "ü()", "a..b()", "99999999999999999999"] {
            assert!(matches!(parse(text), Err(TemplateError::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("{}{}", "a(".repeat(100_000), ")".repeat(100_000));
        assert!(matches!(parse(&deep), Err(TemplateError::TooMuch(_))));
        let long = format!("a(){}", ".b".repeat(100_000));
        assert!(matches!(parse(&long), Err(TemplateError::TooMuch(_))));
        let indexes = format!("a(){}0{}", "[a()".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(parse(&indexes), Err(TemplateError::TooMuch(_))));
    }
}
