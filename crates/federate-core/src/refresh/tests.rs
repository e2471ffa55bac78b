use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::FakeReporter;

/// A clock that follows tokio's, which stands still but for sleeping.
#[derive(Debug)]
struct Clock(Instant);

impl Host for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_888_800) + self.0.elapsed()
    }
    fn read(&self, _path: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// Gives numbers, each living for so long; fails where the script says so, and each try takes its time.
#[derive(Clone)]
struct Script(Arc<Inner>);

struct Inner {
    clock: Clock,
    life: Duration,
    takes: Duration,
    count: AtomicUsize,
    fails: Mutex<VecDeque<bool>>,
}

#[async_trait]
impl Renew for Script {
    type Item = usize;
    async fn renew(&self) -> Result<Lease<usize>, Error> {
        let inner = &self.0;
        let number = inner.count.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(inner.takes).await;
        if inner.fails.lock().unwrap().pop_front() == Some(true) {
            return Err(Error::new(&codes::SERVICE_ERROR, "the service is down"));
        }
        Ok(Lease { value: number, expires: Some(inner.clock.now() + inner.life) })
    }
}

struct Stage {
    kept: Arc<Kept<Script>>,
    script: Script,
    reporter: Arc<FakeReporter>,
}

fn stage(life: u64, takes: u64, fails: &[bool]) -> Stage {
    let clock = Instant::now();
    let script = Script(Arc::new(Inner {
        clock: Clock(clock),
        life: Duration::from_secs(life),
        takes: Duration::from_secs(takes),
        count: AtomicUsize::new(0),
        fails: Mutex::new(fails.iter().copied().collect()),
    }));
    let reporter = Arc::new(FakeReporter::default());
    let kept = Kept::new("the credentials", script.clone(), None, Arc::new(Clock(clock)), reporter.clone());
    Stage { kept: Arc::new(kept.with_chance(|| 0.0)), script, reporter }
}

impl Stage {
    fn tries(&self) -> usize {
        self.script.0.count.load(Ordering::SeqCst)
    }

    fn keep(&self) -> tokio::task::JoinHandle<()> {
        let kept = self.kept.clone();
        tokio::spawn(async move { kept.keep().await })
    }
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn the_later_of_half_the_life_and_five_minutes_before_the_end() {
    let begin = SystemTime::UNIX_EPOCH;
    let after =
        |life: u64, chance| due(begin, begin + Duration::from_secs(life), chance).duration_since(begin).unwrap();
    assert_eq!(after(3600, 0.0).as_secs(), 3300);
    assert_eq!(after(3600, 1.0).as_secs(), 3240, "a minute earlier at most");
    assert_eq!(after(43_200, 0.0).as_secs(), 42_900);
    assert_eq!(after(300, 0.0).as_secs(), 150);
    assert_eq!(after(10, 0.0).as_secs(), 5);
    assert_eq!(after(10, 1.0).as_secs(), 4, "a tenth of the life earlier at most");
    assert_eq!(due(begin + Duration::from_secs(9), begin, 1.0), begin + Duration::from_secs(9), "over already");
}

#[test]
fn pauses_grow_up_to_a_minute() {
    let seconds: Vec<u64> = (0..9).map(|count| back_off(count, 0.0).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(back_off(2, 1.0).as_secs(), 2);
    assert!((0..1000).map(|_| random()).all(|chance| (0.0..1.0).contains(&chance)));
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_in_time_and_nobody_waits() {
    let stage = stage(3600, 2, &[]);
    let task = stage.keep();
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    pass(3299).await;
    assert_eq!((stage.kept.current().await.unwrap(), stage.tries()), (1, 1));
    pass(2).await;
    let before = Instant::now();
    assert_eq!(stage.kept.current().await.unwrap(), 1, "while the second is on its way, the first is good");
    assert_eq!(before.elapsed(), Duration::ZERO);
    pass(3).await;
    assert_eq!((stage.kept.current().await.unwrap(), stage.tries()), (2, 2));
    pass(24 * 3600).await;
    assert_eq!(stage.tries(), 2 + 26, "one every 55 minutes and two seconds");
    assert!(stage.reporter.lines().is_empty());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn many_that_ask_at_once_wait_for_one_try() {
    let stage = stage(3600, 5, &[]);
    let asked = (0..50).map(|_| stage.kept.current());
    let values: Vec<usize> = futures_util::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!((values, stage.tries()), (vec![1; 50], 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_one_is_kept_while_renewing_fails_and_then_the_error_shows() {
    let stage = stage(600, 0, &[&[false][..], &[true; 100]].concat());
    let task = stage.keep();
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    pass(599).await;
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    assert!(stage.tries() > 5, "{}", stage.tries());
    pass(2).await;
    assert_eq!(stage.kept.current().await.unwrap_err().what(), "the service is down");
    pass(120).await;
    let lines = stage.reporter.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("cannot be renewed yet, and last until 2026-05-04T10:10:00Z"), "{lines:?}");
    assert!(lines[1].contains("have ended and cannot be renewed"), "{lines:?}");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_questions_is_no_storm_of_tries() {
    let stage = stage(600, 0, &[true; 1000]);
    for _ in 0..600 {
        assert!(stage.kept.current().await.is_err());
        sleep(Duration::from_millis(100)).await;
    }
    assert!(stage.tries() <= 7, "{} tries in a minute", stage.tries());
}

#[tokio::test(start_paused = true)]
async fn it_is_had_again_once_the_service_is_back() {
    let stage = stage(600, 0, &[false, true, true, true]);
    let task = stage.keep();
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    pass(320).await;
    assert_eq!(stage.kept.current().await.unwrap(), 5);
    assert!(stage.reporter.lines()[1].contains("renewed again"), "{:?}", stage.reporter.lines());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_keeps_nobody_from_what_is_still_good() {
    let stage = stage(100, 90, &[]);
    let task = stage.keep();
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    // The second is on its way from the 50th second to the 140th.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(97) {
        let before = Instant::now();
        assert_eq!(stage.kept.current().await.unwrap(), 1);
        assert!(before.elapsed() <= PATIENCE);
        pass(1).await;
    }
    pass(5).await;
    assert_eq!(stage.kept.current().await.unwrap(), 2, "the first has ended: everybody waits");
    assert_eq!(stage.tries(), 2);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn without_a_task_whoever_asks_when_it_is_due_renews_it() {
    let Stage { kept, script, reporter } = stage(100, 1, &[false, false, true]);
    let kept = Arc::into_inner(kept).unwrap().on_demand();
    let stage = Stage { kept: Arc::new(kept), script, reporter };
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    pass(49).await;
    assert_eq!(stage.kept.current().await.unwrap(), 1);
    pass(2).await;
    assert_eq!(stage.kept.current().await.unwrap(), 2);
    pass(60).await;
    assert_eq!(stage.kept.current().await.unwrap(), 2, "what is good is not lost by a failure");
    pass(500).await;
    assert_eq!(stage.kept.current().await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn new_ones_that_have_ended_are_an_error() {
    let stage = stage(0, 0, &[]);
    let error = stage.kept.current().await.unwrap_err();
    assert!(error.what().contains("by this machine's clock"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_asked_for_once() {
    struct Forever;
    #[async_trait]
    impl Renew for Forever {
        type Item = ();
        async fn renew(&self) -> Result<Lease<()>, Error> {
            Err(Error::new(&codes::SERVICE_ERROR, "nobody asks"))
        }
    }
    let first = Some(Lease { value: (), expires: None });
    let reporter = Arc::new(FakeReporter::default());
    let kept = Arc::new(Kept::new("it", Forever, first, Arc::new(Clock(Instant::now())), reporter.clone()));
    let task = tokio::spawn({
        let kept = kept.clone();
        async move { kept.keep().await }
    });
    pass(100_000).await;
    assert!(kept.current().await.is_ok() && kept.expires().is_none() && reporter.lines().is_empty());
    task.abort();
}
