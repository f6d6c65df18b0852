use tasker_orchestration::{Workflow, NEXT_STEP};
use tasker_shared::StepState;

#[test]
fn a_workflow_ends_complete() {
    let mut workflow = Workflow::new(tasker_core::NAMESPACE, "reserve_stock").unwrap();
    assert_eq!(workflow.advance(), StepState::Enqueued);
    assert_eq!(workflow.advance(), StepState::Complete);
}

#[test]
fn the_prepared_query_is_built_in() {
    assert!(NEXT_STEP.contains("SELECT step"));
}
