use tasker_shared::{StepMessage, StepState, DESCRIPTOR};

#[test]
fn a_message_goes_to_the_queue_of_its_namespace() {
    let message = StepMessage::new(tasker_core::NAMESPACE, "reserve_stock").unwrap();
    assert_eq!(message.queue, "worker_orders_queue");
}

#[test]
fn a_failed_step_starts_again() {
    assert_eq!(StepState::Failed.next().next(), StepState::Enqueued);
}

#[test]
fn the_descriptor_describes_the_message() {
    let name = b"StepMessage";
    assert!(DESCRIPTOR.windows(name.len()).any(|bytes| bytes == name));
}
