//! What is left of a request in log and metrics.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use super::stage::{MARK, Says, Stage, TOKEN, client_id, exception, pod};

/// Everything that is logged while it lives, as JSON lines.
struct Log {
    written: Written,
    _guard: tracing::subscriber::DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

/// While only one subscriber lives, tracing asks the thread that first comes past an event whether anybody wants
/// it, and remembers the answer for all threads: that of a test without a log would silence one with a log.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Log {
    fn start() -> Self {
        LazyLock::force(&SECOND);
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(written.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The fields of each audit line.
    fn audit(&self) -> Vec<serde_json::Value> {
        let lines = self.text();
        let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut fields = events.map(|mut event| event["fields"].take());
        fields.by_ref().filter(|fields| fields["message"] == "token request").collect()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut written) = self.0.lock() {
            written.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_request_leaves_one_line_that_says_who_what_and_how() {
    let log = Log::start();
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.token("10.0.0.1", "").await;
    let audit = log.audit();
    assert_eq!(audit.len(), 1);
    let line = &audit[0];
    let expected = [
        ("namespace", "shop"),
        ("pod", "web"),
        ("identity", "shop/web"),
        ("client_id", "0000##### REDACTED #####-web"),
        ("resource", "https://vault.azure.net"),
        ("outcome", "served"),
    ];
    for (field, value) in expected {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!((line["status"].as_u64(), line["duration_ms"].is_u64()), (Some(200), true));
    let series = format!(
        "aadpodidentity_nmi_operations_duration_seconds_count{{namespace=\"shop\",operation_type=\"{TOKEN}\",\
         resource=\"https://vault.azure.net\",status_code=\"200\"}} 1"
    );
    assert!(stage.metrics().contains(&series), "{}", stage.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_leaves_its_line_and_metric_too() {
    let log = Log::start();
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    stage.settle().await;
    request.abort();
    stage.settle().await;
    let audit = log.audit();
    assert_eq!((audit.len(), &audit[0]["outcome"], &audit[0]["pod"]), (1, &"hung up".into(), &"web".into()));
    assert!(stage.metrics().contains("status_code=\"499\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn probes_leave_no_audit_line_and_no_metric() {
    let log = Log::start();
    let stage = Stage::standard().await;
    stage.send("10.0.0.1", "GET", TOKEN, &[]).await;
    stage.get("10.0.0.1", TOKEN).await;
    assert!(log.audit().is_empty());
    assert!(!stage.metrics().contains("nmi_operations_duration_seconds_count{"));
}

/// W-64.
#[tokio::test(start_paused = true)]
async fn no_log_line_at_any_level_holds_a_token_or_a_whole_client_id() {
    let log = Log::start();
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.apply_pod(pod("shop", "free", "10.0.0.2"));
    stage.cluster.apply_exception(exception("shop", "aadpodidbinding", "free"));
    stage.settle().await;
    let mut answers = String::new();
    for selector in ["", "&object_id=object-web", &format!("&client_id={}", client_id("web"))] {
        answers += &stage.token("10.0.0.1", selector).await.body;
    }
    answers += &stage.token("10.0.0.2", "").await.body;
    let foreign = format!("&client_id={}", client_id("stranger"));
    stage.token("10.0.0.1", &foreign).await;
    stage.imds.says(Says::Reply(500, vec![], MARK));
    stage.get("10.0.0.1", &format!("{TOKEN}?resource=other")).await;
    assert!(answers.contains(MARK), "the tokens were real");
    let log = log.text();
    assert!(log.contains("token request"));
    assert!(!log.contains(MARK));
    for name in ["web", "stranger"] {
        assert!(!log.contains(&client_id(name)), "{name}");
    }
    assert!(!stage.metrics().contains(MARK));
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_choice_is_flagged_in_the_line_and_warned_of() {
    let log = Log::start();
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    for name in ["a", "b"] {
        stage.cluster.apply_identity(super::stage::identity("shop", name));
        let to_web = podid_core::facts::Binding {
            selector: "web".into(),
            ..super::stage::binding("shop", name, name)
        };
        stage.cluster.apply_binding(to_web);
    }
    stage.imds.has(&["a", "b"]);
    stage.settle().await;
    stage.token("10.0.0.1", "").await;
    let audit = log.audit();
    assert!(audit[0]["reason"].as_str().is_some_and(|reason| reason.contains("1 more")), "{audit:?}");
    assert_eq!(log.text().matches("let it name one").count(), 1);
    stage.token("10.0.0.1", "").await;
    assert_eq!(log.text().matches("let it name one").count(), 1, "once per token, not per request");
}
