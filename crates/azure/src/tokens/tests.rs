use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use futures::future::join_all;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{advance, sleep};

use super::*;

const HOUR: Duration = Duration::from_hours(1);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Broken(Option<Duration>);

impl SourceError for Broken {
    fn retry_after(&self) -> Option<Duration> {
        self.0
    }
}

/// A source that counts, and a cache on clocks that the test moves.
struct Stage {
    cache: Tokens<&'static str, Token, Broken>,
    source: Arc<Source>,
    wall_offset: Arc<AtomicI64>,
}

struct Source {
    asked: AtomicUsize,
    delay: Duration,
    life: Duration,
    broken: Mutex<Option<Broken>>,
}

impl Stage {
    fn new(settings: Settings, delay: Duration, life: Duration) -> Self {
        let wall_offset = Arc::new(AtomicI64::new(0));
        let (offset, start) = (wall_offset.clone(), tokio::time::Instant::now());
        let clock = Clock::with_wall(move || {
            let seconds = 1_700_000_000 + offset.load(Ordering::Relaxed);
            Timestamp::from_second(seconds).unwrap() + start.elapsed()
        });
        let source = Source { asked: AtomicUsize::new(0), delay, life, broken: Mutex::new(None) };
        let cache = Tokens::with_clock(settings, TaskTracker::new(), clock);
        Self { cache, source: Arc::new(source), wall_offset }
    }

    fn day_long() -> Self {
        Self::new(Settings::default(), Duration::from_secs(1), 24 * HOUR)
    }

    async fn get(&self, key: &'static str) -> Result<Served<Token>, Failure<Broken>> {
        let source = self.source.clone();
        self.cache.get(&key, move || async move { source.fetch().await }).await
    }

    /// The token's text, which is the number of the fetch that brought it.
    async fn text(&self, key: &'static str) -> String {
        self.get(key).await.unwrap().value.access_token.expose_secret().to_owned()
    }

    fn asked(&self) -> usize {
        self.source.asked.load(Ordering::Relaxed)
    }

    fn break_source(&self, retry_after: Option<Duration>) {
        *self.source.broken.lock().unwrap() = Some(Broken(retry_after));
    }

    fn mend_source(&self) {
        *self.source.broken.lock().unwrap() = None;
    }

    async fn settle(&self) {
        sleep(self.source.delay + Duration::from_millis(1)).await;
    }
}

impl Source {
    async fn fetch(&self) -> Result<Token, Broken> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(self.delay).await;
        match *self.broken.lock().unwrap() {
            Some(broken) => Err(broken),
            None => Ok(Token {
                access_token: SecretString::from(number.to_string()),
                expires_on: Timestamp::UNIX_EPOCH,
                life: self.life,
                refresh_in: None,
                not_before: None,
                token_type: "Bearer".to_owned(),
                resource: "r".to_owned(),
                client_id: None,
            }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_fetch() {
    let stage = Stage::day_long();
    let served = join_all((0..50).map(|_| stage.text("a"))).await;
    assert_eq!(served, vec!["1"; 50]);
    assert_eq!(stage.asked(), 1);
    let again = stage.get("a").await.unwrap();
    assert!(again.cached);
    assert_eq!(stage.text("b").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_when_its_caller_hangs_up() {
    let stage = Stage::day_long();
    let hasty = tokio::time::timeout(Duration::from_millis(10), stage.get("a")).await;
    assert!(hasty.is_err());
    stage.settle().await;
    assert!(stage.get("a").await.unwrap().cached);
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_ahead_without_anybody_waiting() {
    let stage = Stage::day_long();
    stage.text("a").await;
    advance(13 * HOUR).await;
    let served = join_all((0..10).map(|_| stage.text("a"))).await;
    assert_eq!(served, vec!["1"; 10]);
    stage.settle().await;
    assert_eq!(stage.text("a").await, "2");
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_life_left_shrinks_as_time_goes() {
    let stage = Stage::day_long();
    assert_eq!(stage.get("a").await.unwrap().left, 24 * HOUR);
    advance(HOUR).await;
    assert_eq!(stage.get("a").await.unwrap().left, 23 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn nothing_under_five_minutes_is_served_while_the_source_answers() {
    let stage = Stage::day_long();
    stage.text("a").await;
    advance(23 * HOUR + Duration::from_secs(3301)).await;
    assert_eq!(stage.text("a").await, "2");
}

#[tokio::test(start_paused = true)]
async fn an_old_token_is_served_while_the_source_is_down_and_then_no_more() {
    let stage = Stage::day_long();
    stage.text("a").await;
    stage.break_source(None);
    advance(23 * HOUR + Duration::from_mins(59)).await;
    assert_eq!(stage.text("a").await, "1");
    assert_eq!(stage.text("a").await, "1");
    assert_eq!(stage.asked(), 2, "the source is left alone after a failure");
    advance(Duration::from_mins(1)).await;
    assert!(matches!(stage.get("a").await, Err(Failure::Source { .. })));
    stage.mend_source();
    advance(Duration::from_mins(1)).await;
    assert!(stage.text("a").await.parse::<u32>().unwrap() > 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_its_backoff_only() {
    let stage = Stage::day_long();
    stage.break_source(None);
    let Err(Failure::Source { error, retry_after }) = stage.get("a").await else { panic!("no failure") };
    assert_eq!(*error, Broken(None));
    assert!(matches!(stage.get("a").await, Err(Failure::Source { .. })));
    assert_eq!(stage.asked(), 1);
    stage.mend_source();
    advance(retry_after).await;
    assert_eq!(stage.text("a").await, "2");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_up_to_our_patience() {
    let cases = [(Duration::from_secs(90), 90), (Duration::MAX, 300)];
    for (asked, seconds) in cases {
        let stage = Stage::day_long();
        stage.break_source(Some(asked));
        let Err(Failure::Source { retry_after, .. }) = stage.get("a").await else { panic!("no failure") };
        assert_eq!(retry_after, Duration::from_secs(seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_space_out_the_attempts() {
    let stage = Stage::day_long();
    stage.break_source(None);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let Err(Failure::Source { retry_after, .. }) = stage.get("a").await else { panic!("no failure") };
        waits.push(retry_after);
        advance(retry_after).await;
    }
    let cap = Settings::default().backoff.cap;
    assert!(waits[0] <= Duration::from_millis(500), "{waits:?}");
    assert!(waits[11] >= cap / 2 && waits[11] <= cap, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_success_forgets_the_failures_before_it() {
    let stage = Stage::day_long();
    let fail = async || {
        let Err(Failure::Source { retry_after, .. }) = stage.get("a").await else { panic!("no failure") };
        advance(retry_after).await;
        retry_after
    };
    stage.break_source(None);
    for _ in 0..6 {
        fail().await;
    }
    stage.mend_source();
    let token = stage.get("a").await.unwrap().value;
    stage.cache.discard(&"a", &token);
    stage.break_source(None);
    assert!(fail().await <= Settings::default().backoff.base);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_costs_one_fetch_and_one_set_back_keeps_ageing() {
    let stage = Stage::day_long();
    stage.text("a").await;
    stage.wall_offset.store(48 * 3600, Ordering::Relaxed);
    assert_eq!(stage.text("a").await, "2");
    assert!(stage.get("a").await.unwrap().cached);
    stage.wall_offset.store(-48 * 3600, Ordering::Relaxed);
    assert_eq!(stage.text("a").await, "2");
    advance(24 * HOUR).await;
    assert_eq!(stage.text("a").await, "3");
}

#[tokio::test(start_paused = true)]
async fn the_cache_stays_within_its_bound_and_keeps_what_is_used() {
    let settings = Settings { capacity: 3, ..Settings::default() };
    let stage = Stage::new(settings, Duration::from_secs(1), 24 * HOUR);
    for key in ["used", "old", "new"] {
        stage.text(key).await;
    }
    stage.text("used").await;
    stage.text("one more").await;
    assert_eq!(stage.cache.len(), 3);
    assert!(stage.get("used").await.unwrap().cached);
    assert!(stage.get("new").await.unwrap().cached);
    assert!(!stage.get("old").await.unwrap().cached);
}

#[tokio::test(start_paused = true)]
async fn keys_without_a_token_go_before_those_with_one() {
    let settings = Settings { capacity: 2, ..Settings::default() };
    let stage = Stage::new(settings, Duration::from_secs(1), 24 * HOUR);
    stage.text("good").await;
    stage.break_source(None);
    for key in ["x", "y", "z"] {
        stage.get(key).await.unwrap_err();
    }
    assert!(stage.get("good").await.unwrap().cached);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_while_it_was_fetched_is_not_kept() {
    let stage = Stage::day_long();
    let waiting = stage.get("a");
    let dropping = async {
        sleep(Duration::from_millis(1)).await;
        stage.cache.retain(|key| *key != "a");
    };
    let (served, ()) = tokio::join!(waiting, dropping);
    served.unwrap();
    assert!(stage.cache.is_empty());
    assert_eq!(stage.text("a").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_for_a_dropped_key_does_not_disturb_its_successor() {
    let stage = Stage::day_long();
    let successor = async {
        sleep(Duration::from_millis(500)).await;
        stage.cache.retain(|_| false);
        stage.text("a").await
    };
    let latecomer = async {
        sleep(Duration::from_millis(1200)).await;
        stage.text("a").await
    };
    let texts = tokio::join!(stage.text("a"), successor, latecomer);
    assert_eq!(texts, ("1".to_owned(), "2".to_owned(), "2".to_owned()));
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_served_again() {
    let stage = Stage::day_long();
    let first = stage.get("a").await.unwrap().value;
    stage.cache.discard(&"a", &first);
    assert_eq!(stage.text("a").await, "2");
    stage.cache.discard(&"a", &first);
    assert!(stage.get("a").await.unwrap().cached, "only the token that was refused goes");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_dies_fails_its_callers_and_the_next_one_tries_anew() {
    let stage = Stage::day_long();
    let fetch = || async { panic!("a fetch that dies") };
    assert!(matches!(stage.cache.get(&"a", fetch).await, Err(Failure::Abandoned)));
    assert_eq!(stage.text("a").await, "1");
}

impl Stage {
    async fn fresh(&self) -> String {
        let source = self.source.clone();
        let fetch = move |()| async move { source.fetch().await };
        let served = self.cache.get_if(&"a", Want::Fresh, || Ok(()), fetch).await.unwrap();
        served.value.access_token.expose_secret().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn who_bypasses_the_cache_gets_a_new_token_once_a_minute_and_all_others_get_that_too() {
    let stage = Stage::day_long();
    assert_eq!(stage.text("a").await, "1");
    assert_eq!(stage.fresh().await, "1", "it is of this minute");
    advance(Duration::from_mins(1)).await;
    let told = join_all((0..20).map(|_| stage.fresh())).await;
    assert_eq!(told, vec!["2"; 20]);
    assert_eq!(stage.text("a").await, "2");
    for _ in 0..600 {
        advance(Duration::from_secs(1)).await;
        stage.fresh().await;
    }
    assert!(stage.asked() <= 12, "{}", stage.asked());
}

#[tokio::test(start_paused = true)]
async fn who_bypasses_the_cache_while_the_source_is_down_gets_what_lives() {
    let stage = Stage::day_long();
    stage.text("a").await;
    advance(HOUR).await;
    stage.break_source(Some(Duration::from_mins(2)));
    assert_eq!(stage.fresh().await, "1");
    assert_eq!(stage.fresh().await, "1");
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_for_what_nobody_asks_for() {
    let stage = Stage::day_long();
    stage.text("a").await;
    sleep(48 * HOUR).await;
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_not_admitted_leaves_no_trace_and_the_next_one_may_be() {
    let stage = Stage::new(Settings { capacity: 1, ..Settings::default() }, Duration::ZERO, 24 * HOUR);
    stage.text("kept").await;
    let refused = || Failure::Source { error: Arc::new(Broken(None)), retry_after: Duration::from_secs(9) };
    let fetch = |()| async { Err(Broken(None)) };
    let told = stage.cache.get_if(&"a", Want::Any, || Err::<(), _>(refused()), fetch).await;
    assert!(matches!(told, Err(Failure::Source { .. })));
    assert!(stage.get("kept").await.unwrap().cached, "nothing made room for it");
    assert_eq!(stage.text("a").await, "2");
}
