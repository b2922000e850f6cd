use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use podid_core::throttle::Rate;
use tokio::time::{advance, sleep};

use super::*;

const TERMS: Terms = Terms {
    rate: Rate { burst: 5, per_second: 15.0 },
    at_once: 5,
    of_one: 4,
    patience: Duration::from_secs(50),
};

/// One question that its source answers after `answer`; when it was sent, counted from `begun`.
async fn ask(
    line: &Pace<usize>,
    asker: usize,
    answer: Duration,
    begun: Instant,
) -> Result<Duration, Refused> {
    let mut place = line.enter(&asker)?;
    place.turn().await?;
    let sent = begun.elapsed();
    sleep(answer).await;
    Ok(sent)
}

#[tokio::test(start_paused = true)]
async fn five_hundred_pods_at_once_are_all_served_within_the_limit() {
    let (line, begun) = (Pace::new(TERMS), Instant::now());
    let sent = join_all((0..500).map(|pod| ask(&line, pod, Duration::from_millis(50), begun))).await;
    let sent: Vec<Duration> = sent.into_iter().map(Result::unwrap).collect();
    assert!(sent.is_sorted(), "not in the order in which they came");
    assert!(sent[499] < Duration::from_secs(34), "{:?}", sent[499]);
    for window in sent.windows(21) {
        assert!(window[20] >= window[0] + Duration::from_secs(1), "{window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_can_be_served_in_time_are_told_so_at_once_and_in_order() {
    let (line, begun) = (Pace::new(TERMS), Instant::now());
    let told = join_all((0..1500).map(|pod| {
        let line = line.clone();
        async move {
            let told = ask(&line, pod, Duration::from_millis(50), begun).await;
            (told, begun.elapsed())
        }
    }))
    .await;
    let served = told.iter().take_while(|(told, _)| told.is_ok()).count();
    // Five at once and fifteen a second for fifty seconds.
    assert!((750..=755).contains(&served), "{served}");
    for (told, after) in &told[served..] {
        let Err(Refused::TooLate { retry_after }) = told else { panic!("{told:?}") };
        assert!(retry_after > &TERMS.patience && after.is_zero(), "{retry_after:?} {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_noisy_pod_delays_another_by_a_round_only() {
    let (line, begun) = (Pace::new(TERMS), Instant::now());
    let answered = Arc::new(AtomicUsize::new(0));
    for _ in 0..250 {
        let (line, answered) = (line.clone(), answered.clone());
        tokio::spawn(async move {
            // It asks again and again.
            loop {
                match ask(&line, 666, Duration::from_millis(50), begun).await {
                    Ok(_) => _ = answered.fetch_add(1, Ordering::Relaxed),
                    Err(refused) => sleep(refused.retry_after()).await,
                }
            }
        });
    }
    sleep(Duration::from_secs(10)).await;
    let now = begun.elapsed();
    let sent = ask(&line, 1, Duration::from_millis(50), begun).await.unwrap();
    assert!(sent <= now + Duration::from_millis(200), "{now:?} {sent:?}");
    let answered = answered.load(Ordering::Relaxed);
    assert!((100..=155).contains(&answered), "what nobody else wants is not wasted: {answered}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_lets_everyone_go_at_the_deadline_and_goes_on_when_it_answers() {
    let (line, begun) = (Pace::new(TERMS), Instant::now());
    let hanging: Vec<_> = (0..5)
        .map(|pod| {
            let line = line.clone();
            tokio::spawn(async move { ask(&line, pod, Duration::from_mins(2), begun).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let late = ask(&line, 9, Duration::ZERO, begun).await;
    assert!(matches!(late, Err(Refused::TooLate { .. })));
    assert_eq!(begun.elapsed(), TERMS.patience + SLACK);
    advance(Duration::from_secs(30)).await;
    let next = ask(&line, 9, Duration::ZERO, begun).await.unwrap();
    assert_eq!(next.as_secs(), 120);
    for one in hanging {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_source_asks_for_is_kept_and_then_work_goes_on_at_the_rate() {
    let (line, begun) = (Pace::new(TERMS), Instant::now());
    line.close(Duration::from_secs(7));
    let sent = join_all((0..20).map(|pod| ask(&line, pod, Duration::ZERO, begun))).await;
    let sent: Vec<Duration> = sent.into_iter().map(Result::unwrap).collect();
    assert_eq!((sent[0].as_secs(), sent[19].as_secs()), (7, 8));
    line.close(Duration::from_mins(2));
    let told = ask(&line, 1, Duration::ZERO, begun).await;
    assert!(matches!(told, Err(Refused::TooLate { retry_after }) if retry_after >= Duration::from_mins(2)));
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_its_place_to_the_next() {
    let line = Pace::new(Terms { of_one: 1, ..TERMS });
    let place = line.enter(&1).unwrap();
    assert!(matches!(line.enter(&1), Err(Refused::Enough { .. })));
    drop(place);
    let mut place = line.enter(&1).unwrap();
    place.turn().await.unwrap();
}
