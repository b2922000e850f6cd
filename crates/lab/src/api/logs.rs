//! What did the containers of a pod print?

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::status::Status;

/// Which part of a container's output is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is printed later, until the container ends.
    pub follow: bool,
    /// Only the last so many lines.
    pub tail_lines: Option<usize>,
    /// Only lines printed at or after this time.
    pub since: Option<Timestamp>,
    /// The output of the container's run before the present one.
    pub previous: bool,
    /// Begin each line with its time.
    pub timestamps: bool,
}

/// Who keeps the output of containers; in the lab the kubelet.
pub trait PodLogs: Send + Sync {
    /// The output of one container. The pod and its container exist in the store; a container that has not started
    /// yet is refused with a [`Status`].
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>>;
}
