//! Steps a Tasker workflow from state to state.

use tasker_pgmq::InvalidNamespace;
use tasker_shared::{StepMessage, StepState};

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The prepared query for the next step, as `cargo sqlx prepare` left it in `.sqlx/`.
pub const NEXT_STEP: &str = include_str!(concat!(env!("OUT_DIR"), "/query-next-step.json"));

/// A workflow of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    message: StepMessage,
    state: StepState,
}

impl Workflow {
    /// A workflow whose step is pending.
    pub fn new(namespace: &str, step: &str) -> Result<Self, InvalidNamespace> {
        Ok(Self {
            message: StepMessage::new(namespace, step)?,
            state: StepState::Pending,
        })
    }

    /// What the worker receives.
    pub fn message(&self) -> &StepMessage {
        &self.message
    }

    /// Goes to the next state, and says which one that is.
    pub fn advance(&mut self) -> StepState {
        self.state = self.state.next();
        self.state
    }
}
