//! How do a container's lines reach `kubectl logs`?

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::logs::{Line, Log, Logs};
use crate::api::{LogOptions, PodLogs, Status};

impl PodLogs for Logs {
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        let log = self.find(namespace, pod, container);
        let refusal =
            format!("container \"{container}\" in pod \"{pod}\" is waiting to start: ContainerCreating");
        async move {
            if options.previous {
                return Err(Status::bad_request("the lab keeps one log per container, over all its runs"));
            }
            let log = log.ok_or_else(|| Status::bad_request(refusal))?;
            Ok(lines(log, options).boxed())
        }
        .boxed()
    }
}

fn lines(log: Log, options: LogOptions) -> impl futures::Stream<Item = Bytes> {
    let tail = options.tail_lines.and_then(|tail| u64::try_from(tail).ok());
    let from = tail.map_or(0, |tail| log.written().saturating_sub(tail));
    stream::unfold((log, options, from, true), |(log, options, from, first)| async move {
        let more = first || (options.follow && log.wait(from).await);
        if !more {
            return None;
        }
        let (lines, next) = log.since(from);
        let mut text = BytesMut::new();
        for line in lines.iter().filter(|line| options.since.is_none_or(|since| line.at >= since)) {
            write(&mut text, line, options.timestamps);
        }
        Some((text.freeze(), (log, options, next, false)))
    })
    .filter(|text| std::future::ready(!text.is_empty()))
}

fn write(text: &mut BytesMut, line: &Line, timestamps: bool) {
    if timestamps {
        text.put(line.at.to_string().as_bytes());
        text.put_u8(b' ');
    }
    text.put(line.text.as_ref());
    text.put_u8(b'\n');
}
