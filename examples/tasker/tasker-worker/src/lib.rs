//! Registers step handlers and runs them.

use std::collections::BTreeSet;

use tasker_shared::{StepMessage, StepState};

pub use tasker_client::request;
pub use tasker_pgmq::queue_name;

/// This crate's version: what the bindings call the version of the core.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The steps that this worker can do.
#[derive(Debug, Default)]
pub struct Handlers {
    steps: BTreeSet<String>,
}

impl Handlers {
    /// Adds a handler, and says whether it is new.
    pub fn register(&mut self, step: &str) -> bool {
        self.steps.insert(step.to_owned())
    }

    /// Does the step, if there is a handler for it.
    pub fn handle(&self, message: &StepMessage) -> StepState {
        if self.steps.contains(&message.step) {
            StepState::Complete
        } else {
            StepState::Failed
        }
    }
}
