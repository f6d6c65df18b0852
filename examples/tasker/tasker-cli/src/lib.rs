//! What `tasker-cli` answers.

use tasker_shared::StepMessage;

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const USAGE: &str = "usage: tasker-cli --version | request NAMESPACE STEP";

/// The answer to a command line, or why there is none.
pub fn run(arguments: &[&str]) -> Result<String, String> {
    match arguments {
        ["--version"] => Ok(format!(
            "tasker-cli {VERSION}\ntasker-client {}\ntasker-shared {}",
            tasker_client::VERSION,
            tasker_shared::VERSION
        )),
        ["request", namespace, step] => StepMessage::new(namespace, step)
            .map(|message| tasker_client::request(&message))
            .map_err(|error| format!("{namespace} is no namespace: {error}")),
        _ => Err(USAGE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_printed() {
        let answer = run(&["request", "orders", "refund"]);
        assert_eq!(
            answer.as_deref(),
            Ok("POST /v1/queues/worker_orders_queue/refund")
        );
    }

    #[test]
    fn a_wrong_command_line_gets_the_usage() {
        assert_eq!(run(&[]), Err(USAGE.to_owned()));
    }
}
