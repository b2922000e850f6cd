//! How is a run made, and what does it find?

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::join_all;

use crate::agent::Agent;
use crate::corpus::Named;
use crate::mutate::{Dice, EDGES, each_byte, mutate};
use crate::wire::{Heard, exchange};
use crate::{corpus, judge};

/// How many inputs are under way at a time; below what one client may have open.
const AT_ONCE: usize = 48;
/// How many inputs that led to something new are built on.
const POOL: usize = 1024;
/// A request whose every byte is changed.
const EVERY_BYTE: &str = "curl-of-the-documentation.http";

/// How long a run goes on.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// For this time.
    Over(Duration),
    /// For so many inputs.
    Sent(usize),
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Found {
    pub sent: usize,
    /// Ways to answer that were seen.
    pub kinds: usize,
    /// Inputs that broke a rule, and the rule.
    pub broken: Vec<(Vec<u8>, String)>,
}

/// A run under way.
struct Run {
    agent: Agent,
    kinds: BTreeSet<Vec<Vec<u8>>>,
    pool: Vec<Vec<u8>>,
    found: Found,
}

/// Panics of this process.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics from now on, wherever a task may hide them.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A test that fails beside this run is not the agent.
            if panic.location().is_none_or(|place| !place.file().contains("fuzz/tests/")) {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            before(panic);
        }));
    });
}

/// Sends the corpus as it is.
pub async fn replay() -> anyhow::Result<Found> {
    let mut run = Run::start(&[]).await?;
    for Named { name, bytes } in corpus::read()? {
        run.batch(vec![bytes]).await.with_context(|| name)?;
    }
    Ok(run.end())
}

/// Changes every byte of a request to each of those at which readers disagree.
pub async fn every_byte() -> anyhow::Result<Found> {
    let corpus = corpus::read()?;
    let input =
        corpus.iter().find(|input| input.name == EVERY_BYTE).context("the corpus lacks its plain request")?;
    let mut run = Run::start(&[]).await?;
    let mut inputs = each_byte(&input.bytes, EDGES).peekable();
    while inputs.peek().is_some() && run.found.broken.is_empty() {
        run.batch(inputs.by_ref().take(AT_ONCE).collect()).await?;
    }
    Ok(run.end())
}

/// Sends what becomes of the corpus by chance until the end or until something is found.
pub async fn by_chance(seed: u64, until: Until) -> anyhow::Result<Found> {
    let mut run = Run::start(&corpus::read()?).await?;
    let (mut dice, begun) = (Dice::new(seed), Instant::now());
    while run.found.broken.is_empty()
        && match until {
            Until::Over(time) => begun.elapsed() < time,
            Until::Sent(count) => run.found.sent < count,
        }
    {
        let inputs = (0..AT_ONCE).map(|_| mutate(&run.pool, &mut dice)).collect();
        run.batch(inputs).await?;
    }
    Ok(run.end())
}

// === impl Run ===

impl Run {
    async fn start(corpus: &[Named]) -> anyhow::Result<Self> {
        count_panics();
        let pool = corpus.iter().map(|input| input.bytes.clone()).collect();
        Ok(Self { agent: Agent::start().await?, kinds: BTreeSet::new(), pool, found: Found::default() })
    }

    /// Sends inputs side by side. What only all of them together can be blamed for is sent once more, one by one.
    async fn batch(&mut self, inputs: Vec<Vec<u8>>) -> anyhow::Result<()> {
        let before = PANICS.load(Ordering::Relaxed);
        let heard = join_all(inputs.iter().map(|input| exchange(self.agent.address, input))).await;
        for (input, heard) in inputs.iter().zip(heard) {
            self.note(input, &heard?);
        }
        let shared = self.shared(before);
        if let Some(wrong) = shared {
            for input in &inputs {
                let before = PANICS.load(Ordering::Relaxed);
                exchange(self.agent.address, input).await?;
                if let Some(wrong) = self.shared(before) {
                    self.found.broken.push((input.clone(), wrong));
                    return Ok(());
                }
            }
            self.found.broken.push((inputs.concat(), format!("{wrong} (one of {} inputs)", inputs.len())));
        }
        Ok(())
    }

    fn note(&mut self, input: &[u8], heard: &Heard) {
        self.found.sent += 1;
        if let Err(wrong) = judge::answer(input, heard) {
            self.found.broken.push((input.to_vec(), wrong));
        }
        if self.kinds.insert(judge::kind(heard)) && self.pool.len() < POOL {
            self.pool.push(input.to_vec());
        }
    }

    /// What went wrong since, whoever caused it.
    fn shared(&self, panics_before: usize) -> Option<String> {
        if PANICS.load(Ordering::Relaxed) > panics_before {
            return Some("the agent panicked".to_owned());
        }
        self.agent.wrongs().into_iter().next()
    }

    fn end(self) -> Found {
        Found { kinds: self.kinds.len(), ..self.found }
    }
}
