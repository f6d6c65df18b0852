//! The few functions of Ruby's C API that are needed, declared by hand: generating them takes libclang and minutes.

use std::ffi::{c_char, c_int, c_long, CStr};

/// A Ruby object.
pub type Value = usize;

extern "C" {
    static rb_eArgError: Value;
    fn rb_define_module(name: *const c_char) -> Value;
    fn rb_define_module_function(
        module: Value,
        name: *const c_char,
        function: *const (),
        arity: c_int,
    );
    fn rb_exc_new(class: Value, text: *const c_char, length: c_long) -> Value;
    fn rb_exc_raise(exception: Value) -> !;
    fn rb_string_value_cstr(string: *mut Value) -> *const c_char;
    fn rb_utf8_str_new(text: *const c_char, length: c_long) -> Value;
}

/// Defines a module.
pub fn module(name: &CStr) -> Value {
    unsafe { rb_define_module(name.as_ptr()) }
}

/// Defines a module's function without arguments.
pub fn function0(module: Value, name: &CStr, function: extern "C" fn(Value) -> Value) {
    unsafe { rb_define_module_function(module, name.as_ptr(), function as *const (), 0) }
}

/// Defines a module's function with two arguments.
pub fn function2(
    module: Value,
    name: &CStr,
    function: extern "C" fn(Value, Value, Value) -> Value,
) {
    unsafe { rb_define_module_function(module, name.as_ptr(), function as *const (), 2) }
}

/// A Ruby string.
pub fn string(text: &str) -> Value {
    unsafe { rb_utf8_str_new(text.as_ptr().cast(), text.len() as c_long) }
}

/// A Ruby string's text. Raises a `TypeError` when it is none: call it while nothing needs to be dropped, as Ruby's
/// exceptions jump past Rust's destructors.
pub fn text(mut value: Value) -> &'static CStr {
    unsafe { CStr::from_ptr(rb_string_value_cstr(&mut value)) }
}

/// Raises an `ArgumentError`.
pub fn raise(reason: String) -> ! {
    let exception =
        unsafe { rb_exc_new(rb_eArgError, reason.as_ptr().cast(), reason.len() as c_long) };
    drop(reason);
    unsafe { rb_exc_raise(exception) }
}
