//! Fixtures that the crates' tests share.

/// The version of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The namespace that the tests use.
pub const NAMESPACE: &str = "orders";
