//! Types that every part of Tasker shares.

use tasker_pgmq::{queue_name, InvalidNamespace};

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The compiled `proto/step.proto`, a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/step.pb"));

/// The states of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Pending,
    Enqueued,
    Complete,
    Failed,
}

impl StepState {
    /// The state after this one where all goes well.
    pub fn next(self) -> Self {
        match self {
            Self::Pending => Self::Enqueued,
            Self::Enqueued | Self::Complete => Self::Complete,
            Self::Failed => Self::Pending,
        }
    }
}

/// What a worker receives when a step is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepMessage {
    pub queue: String,
    pub step: String,
}

impl StepMessage {
    /// A message for the queue of a namespace.
    pub fn new(namespace: &str, step: &str) -> Result<Self, InvalidNamespace> {
        Ok(Self {
            queue: queue_name(namespace)?,
            step: step.to_owned(),
        })
    }
}
