//! What do the functions on text give?

use serde_json::{Value, json};

use super::{Answer, Args, shown};
use crate::template::TemplateError;

/// What `uriComponent` escapes.
const ESCAPED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The most that a text is filled up to.
const WIDEST: usize = 64 << 10;

pub(super) fn call(name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "concat" if args.all().iter().all(|value| !value.is_array()) => {
            Ok(args.all().iter().map(shown).collect::<String>().into())
        }
        "format" => format(args),
        "string" => args.value(0).map(|value| match value {
            Value::String(text) => json!(text),
            other => json!(other.to_string()),
        }),
        "tolower" => args.text(0).map(|text| text.to_lowercase().into()),
        "toupper" => args.text(0).map(|text| text.to_uppercase().into()),
        "trim" => args.text(0).map(|text| text.trim().into()),
        "replace" => replace(args),
        "split" => split(args),
        "substring" => substring(args),
        "startswith" => both(args, |text, part| text.starts_with(part).into()),
        "endswith" => both(args, |text, part| text.ends_with(part).into()),
        "indexof" if args.all().first().is_some_and(Value::is_string) => {
            both(args, |text, part| place(text, text.find(part)))
        }
        "lastindexof" if args.all().first().is_some_and(Value::is_string) => {
            both(args, |text, part| place(text, text.rfind(part)))
        }
        "padleft" => pad(args),
        "uricomponent" => {
            args.text(0).map(|text| percent_encoding::utf8_percent_encode(text, ESCAPED).to_string().into())
        }
        "uricomponenttostring" => {
            args.text(0).map(|text| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into())
        }
        "uri" => both(args, |base, relative| {
            let base = if base.ends_with('/') {
                base
            } else {
                base.rsplit_once('/').map_or(base, |(start, _)| start)
            };
            format!("{}/{}", base.trim_end_matches('/'), relative.trim_start_matches('/')).into()
        }),
        _ => return None,
    })
}

fn both(args: &Args, give: impl Fn(&str, &str) -> Value) -> Answer {
    // These functions do not mind the case.
    let (text, part) = (args.text(0)?, args.text(1)?);
    if args.name.eq_ignore_ascii_case("uri") {
        return Ok(give(text, part));
    }
    Ok(give(&text.to_lowercase(), &part.to_lowercase()))
}

/// In characters, or -1.
fn place(text: &str, at: Option<usize>) -> Value {
    at.and_then(|at| i64::try_from(text[..at].chars().count()).ok()).unwrap_or(-1).into()
}

/// `{0}` and `{0:…}`; a doubled brace is a brace. How a number is formatted is left out.
fn format(args: &Args) -> Answer {
    let mut text = String::new();
    let mut rest = args.text(0)?.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '{' | '}' if rest.peek() == Some(&letter) => {
                rest.next();
                text.push(letter);
            }
            '{' => {
                let hole: String = rest.by_ref().take_while(|letter| *letter != '}').collect();
                let index = hole.split([':', ',']).next().unwrap_or_default().trim().parse::<usize>();
                let index = index.map_err(|_| args.wrong(format!("has {{{hole}}}, which is no number")))?;
                text.push_str(&shown(args.value(index + 1)?));
            }
            letter => text.push(letter),
        }
    }
    Ok(text.into())
}

fn replace(args: &Args) -> Answer {
    let (text, old, new) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if old.is_empty() {
        return Err(args.wrong("wants something to replace"));
    }
    // Counted before it is made.
    if text.matches(old).count().saturating_mul(new.len()) > super::super::eval::LARGEST_TEXT {
        return Err(TemplateError::TooMuch("it grows past 32 MB"));
    }
    Ok(text.replace(old, new).into())
}

fn split(args: &Args) -> Answer {
    let text = args.text(0)?;
    let marks: Vec<&str> = match args.value(1)? {
        Value::String(mark) => vec![mark],
        Value::Array(marks) => marks.iter().filter_map(Value::as_str).collect(),
        _ => return Err(args.wrong("wants what to split at")),
    };
    let mut parts = vec![text];
    for mark in marks.into_iter().filter(|mark| !mark.is_empty()) {
        parts = parts.into_iter().flat_map(|part| part.split(mark)).collect();
    }
    Ok(json!(parts))
}

fn substring(args: &Args) -> Answer {
    let (text, start) = (args.text(0)?, args.count(1)?);
    let most = text.chars().count();
    let length = if args.len() > 2 { args.count(2)? } else { most.saturating_sub(start) };
    if start.saturating_add(length) > most {
        return Err(args.wrong("reaches past the end of the text"));
    }
    Ok(text.chars().skip(start).take(length).collect::<String>().into())
}

fn pad(args: &Args) -> Answer {
    let text = shown(args.value(0)?);
    let width = args.count(1)?;
    if width > WIDEST {
        return Err(TemplateError::TooMuch("a text is padded past 64 KiB"));
    }
    let fill = if args.len() > 2 { args.text(2)?.chars().next().unwrap_or(' ') } else { ' ' };
    let missing = width.saturating_sub(text.chars().count());
    Ok((std::iter::repeat_n(fill, missing).collect::<String>() + &text).into())
}
