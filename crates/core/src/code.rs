//! By which short word is known what keeps a pod from its token?
//!
//! One word for one cause, the same in answers, logs, events, metrics and commands: what a caller may
//! read is a [`Cause`], what only somebody who looks at the cluster can know is an [`Obstacle`].
//! The words stay as they are: people search for them and alert on them.

mod obstacle;

use std::fmt;

pub use crate::refusal::Cause;
pub use obstacle::Obstacle;

/// A cause of either table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// NMI says it to whoever asks for a token.
    Cause(Cause),
    /// It is seen in the cluster or in Azure.
    Obstacle(Obstacle),
}

/// What stands before the word at the end of a message: with the word, the command that has its page.
const MARK: &str = "(podid explain ";

/// Makes an enum, the list of all of it, the words and the sentences from one table.
macro_rules! table {
    (
        $(#[doc = $about:literal])+ $name:ident,
        $($(#[doc = $meaning:literal])+ $one:ident = $code:literal,)+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $meaning])+ $one,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$one),+];

            /// Its word.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$one => $code,)+
                }
            }

            /// What it says, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$one => concat!($($meaning),+).trim_ascii(),)+
                }
            }
        }

        impl From<$name> for $crate::code::Code {
            fn from(one: $name) -> Self {
                Self::$name(one)
            }
        }
    };
}

pub(crate) use table;

// === impl Code ===

impl Code {
    /// All codes: first those that callers read, then the others.
    pub fn all() -> impl Iterator<Item = Self> {
        let causes = Cause::ALL.iter().copied().map(Self::Cause);
        causes.chain(Obstacle::ALL.iter().copied().map(Self::Obstacle))
    }

    /// The code with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|code| code.word() == word)
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.code(),
            Self::Obstacle(obstacle) => obstacle.code(),
        }
    }

    /// What it says, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.meaning(),
            Self::Obstacle(obstacle) => obstacle.meaning(),
        }
    }

    /// A message that ends in the word, as answers of NMI and events do.
    pub fn mark(self, message: &str) -> String {
        format!("{message} {MARK}{})", self.word())
    }

    /// The code in whose word `message` ends.
    pub fn marked(message: &str) -> Option<Self> {
        let (_, end) = message.trim_end().rsplit_once(MARK)?;
        Self::parse(end.strip_suffix(')')?)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_that_is_a_label_and_says_what_it_means() {
        let words: BTreeSet<_> = Code::all().map(Code::word).collect();
        assert_eq!(words.len(), Cause::ALL.len() + Obstacle::ALL.len());
        for code in Code::all() {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(code.word().bytes().all(plain) && code.word().len() <= 24, "{code:?}");
            assert!(code.meaning().ends_with('.') && !code.meaning().contains("  "), "{code:?}");
            assert_eq!(Code::parse(code.word()), Some(code));
        }
    }

    #[test]
    fn a_message_tells_its_code_at_its_end_only() {
        for code in Code::all() {
            assert_eq!(Code::marked(&code.mark("what happened.")), Some(code));
        }
        let none = [
            "",
            "(podid explain no-label) and more",
            "(podid explain x)",
            "(podid explain no-label",
            "no-label",
        ];
        assert!(none.iter().all(|message| Code::marked(message).is_none()));
    }

    #[test]
    fn the_mark_is_the_one_of_refusals() {
        let refusal = crate::refusal::Refusal::never(Cause::NoBinding, "why.");
        assert_eq!(Code::marked(&refusal.description()), Some(Code::Cause(Cause::NoBinding)));
    }
}
