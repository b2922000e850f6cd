//! Does a line arrive whole, or is it counted?

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("podid-lines-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("lines.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(sink: Sink) -> (Lines, Ending) {
    Lines::start("test", sink, PlainCounter::default()).unwrap()
}

fn lost(lines: &Lines) -> u64 {
    lines.shared.lost.get()
}

#[tokio::test]
async fn lines_of_several_writers_arrive_whole_and_each_writer_s_in_order() {
    let folder = Folder::new("whole");
    let (lines, ending) = start(Sink::file(folder.file()).unwrap());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let lines = lines.clone();
            std::thread::spawn(move || {
                for number in 0..500 {
                    lines.write(format!("{writer} {number}\n").as_bytes());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    ending.finish(PATIENCE).await;
    let text = fs::read_to_string(folder.file()).unwrap();
    for writer in 0..4 {
        let head = format!("{writer} ");
        let own: Vec<usize> =
            text.lines().filter_map(|line| line.strip_prefix(&head)).map(|n| n.parse().unwrap()).collect();
        assert_eq!(own, (0..500).collect::<Vec<_>>());
    }
    assert_eq!(lost(&lines), 0);
}

#[tokio::test]
async fn on_a_full_disk_lines_are_counted_and_nobody_waits() {
    let (lines, ending) = start(Sink::file("/dev/full".into()).unwrap());
    for _ in 0..100 {
        lines.write(b"one line\n");
    }
    ending.finish(PATIENCE).await;
    assert_eq!(lost(&lines), 100);
}

#[tokio::test]
async fn a_reader_that_stands_still_costs_lines_and_holds_up_nobody() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (lines, ending) = start(Sink::pipe(OwnedFd::from(writer).into()));
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let sent = 4 * LARGEST / line.len();
    for _ in 0..sent {
        lines.write(&line);
    }
    let at_once = lost(&lines);
    assert!(at_once > 0, "it cannot all be kept");
    // When it reads again, what was kept arrives.
    let reading = std::thread::spawn(move || {
        BufReader::new(reader).split(b'\n').filter(|line| line.as_ref().unwrap().len() == 1023).count()
    });
    ending.finish(PATIENCE).await;
    let arrived = reading.join().unwrap();
    assert_eq!((arrived as u64 + lost(&lines), lost(&lines)), (sent as u64, at_once));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_not_held_up_by_a_reader_that_stands_still() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (lines, ending) = start(Sink::pipe(OwnedFd::from(writer).into()));
    lines.write(format!("{}\n", "x".repeat(200_000)).as_bytes());
    ending.finish(Duration::from_secs(2)).await;
    lines.write(b"too late\n");
    assert_eq!(lost(&lines), 1);
    let mut first = [0];
    reader.read_exact(&mut first).unwrap();
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_made_anew_under_its_name() {
    let folder = Folder::new("moved");
    let mut sink = Sink::file(folder.file()).unwrap();
    assert_eq!(sink.write(b"old\n"), 0);
    let moved = folder.0.join("lines.log.1");
    fs::rename(folder.file(), &moved).unwrap();
    assert_eq!(sink.write(b"new\n"), 0);
    assert_eq!(fs::read_to_string(&moved).unwrap(), "old\n");
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), "new\n");
    // Where it cannot be made anew, nothing is lost either.
    fs::remove_file(folder.file()).unwrap();
    fs::create_dir(folder.file()).unwrap();
    assert_eq!(sink.write(b"more\n"), 0);
}

#[test]
fn the_rest_of_a_torn_line_does_not_spoil_the_next_one() {
    let folder = Folder::new("torn");
    let mut sink = Sink::file(folder.file()).unwrap();
    assert_eq!(sink.write(b"to"), 0);
    sink.torn = true;
    assert_eq!(sink.write(b"next\n"), 0);
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), "to\nnext\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_what_to_do() {
    let error = Sink::file("/nowhere/audit.log".into()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/audit.log") && error.contains("name another file"), "{error}");
}
