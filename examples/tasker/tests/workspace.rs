//! What only the whole workspace can show.

use tasker_orchestration::Workflow;
use tasker_shared::StepState;
use tasker_worker::Handlers;

#[test]
fn every_crate_has_the_workspace_version() {
    let workspace = include_str!("../VERSION").trim();
    let versions = [
        tasker_core::VERSION,
        tasker_pgmq::VERSION,
        tasker_shared::VERSION,
        tasker_client::VERSION,
        tasker_orchestration::VERSION,
        tasker_worker::VERSION,
        tasker_cli::VERSION,
    ];
    assert_eq!(versions, [workspace; 7]);
}

#[test]
fn a_worker_does_what_a_workflow_enqueues() {
    let mut workflow = Workflow::new(tasker_core::NAMESPACE, "reserve_stock").unwrap();
    workflow.advance();
    let mut handlers = Handlers::default();
    handlers.register("reserve_stock");
    assert_eq!(handlers.handle(workflow.message()), StepState::Complete);
}
