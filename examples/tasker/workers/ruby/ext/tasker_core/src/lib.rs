//! The native half of tasker-rb: the functions of the module `TaskerCore`.

mod ruby;

use ruby::Value;
use tasker_shared::StepMessage;

extern "C" fn core_version(_module: Value) -> Value {
    ruby::string(tasker_worker::VERSION)
}

extern "C" fn request(_module: Value, namespace: Value, step: Value) -> Value {
    let (namespace, step) = (ruby::text(namespace), ruby::text(step));
    let answer = {
        let namespace = namespace.to_string_lossy();
        StepMessage::new(&namespace, &step.to_string_lossy())
            .map(|message| tasker_worker::request(&message))
            .map_err(|error| format!("{namespace} is no namespace: {error}"))
    };
    match answer {
        Ok(request) => ruby::string(&request),
        Err(reason) => ruby::raise(reason),
    }
}

/// Called by Ruby when it has loaded `tasker_core.so`.
#[no_mangle]
pub extern "C" fn Init_tasker_core() {
    let module = ruby::module(c"TaskerCore");
    ruby::function0(module, c"core_version", core_version);
    ruby::function2(module, c"request", request);
}
