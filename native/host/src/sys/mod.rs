//! The table of native calls. A call is written once, in the file of its family: its name, its types and its words make both
//! the function that the engine calls and the declaration in `src/sys/native.d.ts`.

mod advice;
mod ahead;
pub mod arena;
pub mod boot;
mod builtins;
mod classes;
mod contents;
mod copies;
mod credentials;
pub mod engine;
pub(crate) mod errno;
pub mod fd;
mod files;
mod filters;
#[cfg(not(test))]
mod heap;
pub mod layout;
pub mod modules;
pub(crate) mod mounts;
pub(crate) mod process;
pub mod rehearsal;
pub mod results;
mod signals;
mod sockets;
mod store;
mod terminal;
pub mod text;
pub mod trace;
mod tree;
pub mod value;

use qjs_sys as q;
use std::{
    ffi::{CStr, c_int},
    fmt::Write,
};
use value::Context;

/// One native call: what the engine needs to call it and what TypeScript needs to know of it.
pub struct Call {
    pub name: &'static CStr,
    pub function: unsafe extern "C" fn(Context, q::JSValue, c_int, *mut q::JSValue) -> q::JSValue,
    pub doc: &'static [&'static str],
    pub parameters: &'static [(&'static str, &'static str)],
    pub returns: fn() -> String,
}

pub const FAMILIES: &[&[Call]] = &[
    files::CALLS,
    contents::CALLS,
    copies::CALLS,
    mounts::CALLS,
    process::CALLS,
    ahead::CALLS,
    credentials::CALLS,
    signals::CALLS,
    sockets::CALLS,
    terminal::CALLS,
    filters::CALLS,
    trace::CALLS,
];

/// Defines the calls of a family and their table. A body gives `Result<T, Errno>`.
#[macro_export]
macro_rules! calls {
    ($($(#[doc = $doc:literal])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $ret:ty $body:block)*) => {
        $(
            $(#[doc = $doc])*
            #[allow(non_snake_case, unused_mut, clippy::unnecessary_wraps, clippy::needless_pass_by_value, clippy::too_many_arguments)]
            fn $name($($arg: $type),*) -> Result<$ret, $crate::sys::errno::Errno> $body
        )*
        mod glue {
            #[allow(clippy::wildcard_imports, unused_imports)]
            use super::*;
            $(
                #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments)]
                pub unsafe extern "C" fn $name(
                    context: $crate::sys::value::Context,
                    _this: qjs_sys::JSValue,
                    count: std::ffi::c_int,
                    values: *mut qjs_sys::JSValue,
                ) -> qjs_sys::JSValue {
                    const NAME: &std::ffi::CStr = $crate::sys::c_name(concat!(stringify!($name), "\0"));
                    let mut index = 0;
                    $(
                        // SAFETY: the engine passes `count` living values.
                        let value = unsafe { $crate::sys::argument(count, values, index) };
                        // SAFETY: the value lives until this function returns.
                        let $arg = match unsafe { <$type as $crate::sys::value::Arg>::take(context, value) } {
                            Ok(taken) => taken,
                            // SAFETY: the engine passes a living context.
                            Err(mismatch) => return unsafe { $crate::sys::results::throw_mismatch(context, NAME, &mismatch) },
                        };
                        index += 1;
                    )*
                    let entered = $crate::sys::trace::enter();
                    let answer = super::$name($($arg),*);
                    $crate::sys::trace::leave(entered);
                    match answer {
                        // SAFETY: as above.
                        Ok(given) => unsafe { $crate::sys::results::Ret::give(given, context) },
                        // SAFETY: as above.
                        Err(errno) => unsafe { $crate::sys::results::throw_errno(context, NAME, errno) },
                    }
                }
            )*
        }
        pub const CALLS: &[$crate::sys::Call] = &[$($crate::sys::Call {
            name: $crate::sys::c_name(concat!(stringify!($name), "\0")),
            function: glue::$name,
            doc: &[$($doc),*],
            parameters: &[$((stringify!($arg), <$type as $crate::sys::value::Arg>::TYPE)),*],
            returns: <$ret as $crate::sys::results::Ret>::kind,
        }),*];
    };
}

const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

/// The value at `index`, undefined where there are fewer.
///
/// # Safety
/// `values` must point to `count` values.
unsafe fn argument(count: c_int, values: *mut q::JSValue, index: usize) -> q::JSValue {
    if index >= usize::try_from(count).unwrap_or(0) {
        return q::JS_UNDEFINED;
    }
    // SAFETY: within the array, as was just checked.
    let place = unsafe { values.add(index) };
    // SAFETY: as above.
    unsafe { place.read() }
}

/// The TypeScript declaration of the table.
#[must_use]
pub fn declaration() -> String {
    let mut text = String::from("// Made from native/host/src/sys by scripts/fix: do not edit.\n\n");
    text.push_str(fd::DECLARATION);
    text.push_str("\n/** The system calls that the host offers. A call that fails throws a SysError. */\nexport interface Native {\n");
    for call in FAMILIES.iter().flat_map(|family| family.iter()) {
        let doc: Vec<&str> = call.doc.iter().map(|line| line.trim()).collect();
        let parameters: Vec<String> = call.parameters.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
        let _ = writeln!(text, "  /** {} */", doc.join("\n   * "));
        let _ = writeln!(text, "  {}({}): {};", call.name.to_string_lossy(), parameters.join(", "), (call.returns)());
    }
    text.push_str("}\n");
    text
}
