//! Requests to a Tasker server.

use semver::Version;
use tasker_shared::StepMessage;

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The request that asks a server to do a step.
pub fn request(message: &StepMessage) -> String {
    format!("POST /v1/queues/{}/{}", message.queue, message.step)
}

/// Whether a server of this version understands this client: before 1.0 that is the same minor version.
pub fn understood_by(server: &str) -> bool {
    let ours = Version::parse(VERSION).expect("cargo checks a crate's version");
    Version::parse(server)
        .is_ok_and(|theirs| (theirs.major, theirs.minor) == (ours.major, ours.minor))
}
