use tasker_client::{request, understood_by};
use tasker_shared::StepMessage;

#[test]
fn a_request_names_queue_and_step() {
    let message = StepMessage::new(tasker_core::NAMESPACE, "reserve_stock").unwrap();
    assert_eq!(
        request(&message),
        "POST /v1/queues/worker_orders_queue/reserve_stock"
    );
}

#[test]
fn a_server_of_the_same_minor_version_understands() {
    assert!(understood_by(tasker_core::VERSION));
    assert!(!understood_by("99.0.0"));
    assert!(!understood_by("yesterday"));
}
