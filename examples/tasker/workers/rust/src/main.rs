//! An example worker: does one step and says how it went.

use tasker_shared::StepMessage;
use tasker_worker::Handlers;

fn main() {
    let mut handlers = Handlers::default();
    handlers.register("reserve_stock");
    let message = StepMessage::new("orders", "reserve_stock").expect("orders is a namespace");
    println!("tasker-worker {}", tasker_worker::VERSION);
    println!("{}: {:?}", message.step, handlers.handle(&message));
}
