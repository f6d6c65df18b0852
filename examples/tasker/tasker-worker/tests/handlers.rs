use tasker_shared::{StepMessage, StepState};
use tasker_worker::Handlers;

#[test]
fn only_registered_steps_are_done() {
    let mut handlers = Handlers::default();
    assert!(handlers.register("reserve_stock"));
    assert!(!handlers.register("reserve_stock"));
    let known = StepMessage::new(tasker_core::NAMESPACE, "reserve_stock").unwrap();
    let unknown = StepMessage::new(tasker_core::NAMESPACE, "refund").unwrap();
    assert_eq!(handlers.handle(&known), StepState::Complete);
    assert_eq!(handlers.handle(&unknown), StepState::Failed);
}
