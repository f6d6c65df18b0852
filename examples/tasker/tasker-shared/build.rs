//! Compiles `proto/step.proto` into a descriptor set, with the `protoc` that `PROTOC` names or the `PATH` holds.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-env-changed=PROTOC");
    let protoc = env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("step.pb");
    let status = Command::new(&protoc)
        .arg("--proto_path=proto")
        .arg(format!("--descriptor_set_out={}", out.display()))
        .arg("proto/step.proto")
        .status()
        .unwrap_or_else(|error| {
            panic!(
                "{} does not run ({error}): install protoc, or name it in PROTOC",
                protoc.to_string_lossy()
            )
        });
    assert!(
        status.success(),
        "protoc could not compile proto/step.proto ({status})"
    );
}
