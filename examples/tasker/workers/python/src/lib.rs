//! The native half of tasker-py: the module `tasker_core._tasker_core`.

use pyo3::prelude::*;

#[pymodule]
mod _tasker_core {
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use tasker_shared::StepMessage;

    /// The version of the crates that this library was built with.
    #[pyfunction]
    fn core_version() -> &'static str {
        tasker_worker::VERSION
    }

    /// The request that asks a server to do a step.
    #[pyfunction]
    fn request(namespace: &str, step: &str) -> PyResult<String> {
        StepMessage::new(namespace, step)
            .map(|message| tasker_worker::request(&message))
            .map_err(|error| PyValueError::new_err(format!("{namespace} is no namespace: {error}")))
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
