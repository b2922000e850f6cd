//! How do many lines reach their reader for the price of a few?
//!
//! Writing a line into a pipe wakes its reader, which costs more than making the line. So lines gather for a few
//! milliseconds and a thread of their own writes them in one go. Who writes faster than the reader reads waits for
//! it, as without a batch: no line is dropped. What is gathered is written out when an error is told, and when the
//! [`Batch`] is dropped; a process that is killed loses the last few milliseconds.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(5);

/// With more than this, whoever adds a line writes all of them out first. In bytes.
const MOST: usize = 256 * 1024;

/// Keeps what lies in memory on its way: lines are written out before this is gone.
#[derive(Debug)]
#[must_use = "when this is dropped, lines are no longer gathered"]
pub struct Batch {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// Where lines are added. Clones add to the same batch.
#[derive(Clone, Debug)]
pub struct Lines {
    shared: Arc<Shared>,
}

/// Adds one line.
#[derive(Debug)]
pub struct Line<'a> {
    shared: &'a Shared,
    /// Whether it is written out at once, and everything before it.
    urgent: bool,
}

struct Shared {
    gathered: Mutex<Gathered>,
    /// There are lines, or the batch ends.
    news: Condvar,
    sink: Mutex<Sink>,
}

#[derive(Debug, Default)]
struct Gathered {
    lines: Vec<u8>,
    ended: bool,
}

struct Sink {
    out: Box<dyn Write + Send>,
    /// Empty; takes the place of the lines that are being written.
    spare: Vec<u8>,
}

/// Gathers lines for `out`.
pub fn gather(out: impl Write + Send + 'static) -> io::Result<(Batch, Lines)> {
    let shared = Arc::new(Shared {
        gathered: Mutex::default(),
        news: Condvar::new(),
        sink: Mutex::new(Sink { out: Box::new(out), spare: Vec::new() }),
    });
    let batch = shared.clone();
    let writer = thread::Builder::new().name("log".into()).spawn(move || batch.run())?;
    Ok((Batch { shared: shared.clone(), writer: Some(writer) }, Lines { shared }))
}

// === impl Batch ===

impl Drop for Batch {
    fn drop(&mut self) {
        lock(&self.shared.gathered).ended = true;
        self.shared.news.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

// === impl Lines ===

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.shared, urgent: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { shared: &self.shared, urgent: *meta.level() <= Level::WARN }
    }
}

// === impl Line ===

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.add(line);
        if self.urgent {
            self.shared.write_out();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.write_out();
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn add(&self, line: &[u8]) {
        let mut gathered = lock(&self.gathered);
        while gathered.lines.len() >= MOST {
            drop(gathered);
            self.write_out();
            gathered = lock(&self.gathered);
        }
        let first = gathered.lines.is_empty();
        let ended = gathered.ended;
        gathered.lines.extend_from_slice(line);
        drop(gathered);
        if ended {
            self.write_out();
        } else if first {
            self.news.notify_one();
        }
    }

    /// Writes what is gathered. Whoever has the sink takes the lines, so that they keep their order.
    fn write_out(&self) {
        let mut sink = lock(&self.sink);
        let Sink { out, spare } = &mut *sink;
        std::mem::swap(&mut lock(&self.gathered).lines, spare);
        // There is nobody to tell that telling failed.
        let _ = out.write_all(spare).and_then(|()| out.flush());
        spare.clear();
        spare.shrink_to(MOST);
    }

    /// The thread: until the batch ends.
    fn run(&self) {
        loop {
            let gathered = lock(&self.gathered);
            let waited =
                self.news.wait_while(gathered, |gathered| gathered.lines.is_empty() && !gathered.ended);
            let ended = waited.unwrap_or_else(PoisonError::into_inner).ended;
            if !ended {
                thread::sleep(GATHER);
            }
            self.write_out();
            if ended {
                return;
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// Lines are never left half added.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands on what is written, and waits for a word before each write if there is somebody to give it.
    struct Reader {
        told: mpsc::Sender<Vec<u8>>,
        go: Option<mpsc::Receiver<()>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(go) = &self.go {
                let _ = go.recv();
            }
            let _ = self.told.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch() -> (Batch, Lines, mpsc::Receiver<Vec<u8>>) {
        let (told, writes) = mpsc::channel();
        let (batch, lines) = gather(Reader { told, go: None }).unwrap();
        (batch, lines, writes)
    }

    fn all(writes: &mpsc::Receiver<Vec<u8>>) -> String {
        String::from_utf8(writes.try_iter().flatten().collect()).unwrap()
    }

    #[test]
    fn lines_are_written_soon_in_their_order_and_in_fewer_writes() {
        let (_batch, lines, writes) = batch();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        for number in 0..1000 {
            lines.make_writer().write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        let (mut text, mut count) = (String::new(), 0);
        while text.len() < expected.len() {
            text.push_str(&String::from_utf8(writes.recv().unwrap()).unwrap());
            count += 1;
        }
        assert_eq!(text, expected);
        assert!(count < 1000, "{count}");
    }

    #[test]
    fn what_is_gathered_is_written_when_the_batch_ends_and_later_lines_at_once() {
        let (batch, lines, writes) = batch();
        lines.make_writer().write_all(b"one\n").unwrap();
        drop(batch);
        assert_eq!(all(&writes), "one\n");
        lines.make_writer().write_all(b"two\n").unwrap();
        assert_eq!(all(&writes), "two\n");
    }

    #[test]
    fn a_warning_is_out_when_it_was_told_and_everything_before_it() {
        let (_batch, lines, writes) = batch();
        let subscriber = tracing_subscriber::fmt().with_writer(lines).without_time().finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            tracing::warn!("now");
            let text = all(&writes);
            assert!(text.find("before").unwrap() < text.find("now").unwrap(), "{text}");
        });
    }

    #[test]
    fn a_reader_that_stands_still_is_waited_for_and_gets_every_line() {
        let (told, writes) = mpsc::channel();
        let (go, word) = mpsc::channel();
        let (batch, lines) = gather(Reader { told, go: Some(word) }).unwrap();
        let line = [b'x'; 1024];
        let many = 4 * MOST / line.len();
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            for _ in 0..many {
                lines.make_writer().write_all(&line).unwrap();
            }
            done.send(()).unwrap();
        });
        // One write can be under way, and one batch be full.
        assert!(
            finished.recv_timeout(Duration::from_millis(200)).is_err(),
            "memory grows while nobody reads"
        );
        drop(go);
        finished.recv().unwrap();
        drop(batch);
        assert_eq!(writes.try_iter().map(|write| write.len()).sum::<usize>(), many * line.len());
    }
}
