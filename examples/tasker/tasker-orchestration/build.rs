//! Takes the prepared queries from `.sqlx/`, as sqlx does: without a database only where `SQLX_OFFLINE=true` says so.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=.sqlx");
    println!("cargo:rerun-if-env-changed=SQLX_OFFLINE");
    assert!(
        env::var("SQLX_OFFLINE").as_deref() == Ok("true"),
        "there is no database to check the queries against: set SQLX_OFFLINE=true to use those in .sqlx/"
    );
    let file = ".sqlx/query-next-step.json";
    let query = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{file} can't be read ({error}): run `cargo sqlx prepare`"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("query-next-step.json"), query).expect("OUT_DIR can be written");
}
