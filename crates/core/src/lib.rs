//! Decisions of podid: pure functions over facts.
//!
//! Nothing here reads a clock, the environment, a file or the network, and no Kubernetes or HTTP
//! type appears: time and facts are arguments, decisions are results. Each file answers one
//! question, which its first line states.
//!
//! A token request walks [`request`] → [`select`] → [`answer`] → [`token`];
//! a pod event walks [`facts`] → [`target`] → [`desired`] → [`plan`] → [`assign`].
//! [`addon`] is about the commands that give pods an identity; [`adopt`] looks at a cluster that still has the original;
//! [`chain`] says why a pod gets no token, each cause with its [`code`].

pub mod addon;
pub mod adopt;
pub mod answer;
pub mod assign;
pub mod chain;
pub mod code;
pub mod desired;
pub mod facts;
pub mod farewell;
pub mod ids;
pub mod lease;
pub mod ownership;
pub mod plan;
pub mod redact;
pub mod refusal;
pub mod request;
pub mod retry;
pub mod role;
pub mod select;
pub mod strategy;
pub mod target;
pub mod throttle;
pub mod token;
pub mod turn;
