//! Names and schema of Tasker's Postgres message queues.

use std::fmt;

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The statement that creates the table of queues.
pub const SCHEMA: &str = include_str!("../migrations/0001_create_queues.sql");

/// Postgres cuts longer names off without a word.
pub const LONGEST_NAME: usize = 47;

/// Why a namespace can't name a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidNamespace {
    /// It is empty, or holds something else than lowercase letters, digits and underscores.
    Characters,
    /// The queue's name would have this many characters.
    TooLong(usize),
}

impl fmt::Display for InvalidNamespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters => formatter.write_str("use lowercase letters, digits and _"),
            Self::TooLong(length) => {
                formatter.write_str(itoa::Buffer::new().format(*length))?;
                formatter.write_str(" characters are too many")
            }
        }
    }
}

impl std::error::Error for InvalidNamespace {}

/// The name of a namespace's queue: `orders` has `worker_orders_queue`.
pub fn queue_name(namespace: &str) -> Result<String, InvalidNamespace> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if namespace.is_empty() || !namespace.chars().all(legal) {
        return Err(InvalidNamespace::Characters);
    }
    let name = format!("worker_{namespace}_queue");
    if name.len() > LONGEST_NAME {
        return Err(InvalidNamespace::TooLong(name.len()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_a_queue() {
        let name = queue_name(tasker_core::NAMESPACE);
        assert_eq!(name.as_deref(), Ok("worker_orders_queue"));
    }

    #[test]
    fn a_name_that_postgres_would_not_take_is_refused() {
        assert_eq!(queue_name("Orders!"), Err(InvalidNamespace::Characters));
        let reason = queue_name(&"a".repeat(40)).unwrap_err().to_string();
        assert_eq!(reason, "53 characters are too many");
    }

    #[test]
    fn the_schema_creates_the_table_of_queues() {
        assert!(SCHEMA.contains("tasker_queues"));
    }
}
