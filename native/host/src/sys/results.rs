//! What a native call may give back, its exceptions among it, and the name that TypeScript has for it.

use super::{
    errno::Errno,
    text::Text,
    value::{Context, Mismatch},
};
use qjs_sys as q;
use std::{
    ffi::CStr,
    os::fd::{AsRawFd, OwnedFd},
};

/// What a native call can give back.
pub trait Ret {
    /// What TypeScript calls it.
    fn kind() -> String;

    /// # Safety
    /// `context` must be alive.
    unsafe fn give(self, context: Context) -> q::JSValue;
}

impl Ret for OwnedFd {
    fn kind() -> String {
        "Fd".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        let number = self.as_raw_fd();
        std::mem::forget(self);
        // SAFETY: the caller vouches for `context`.
        unsafe { super::fd::object(context, number) }
    }
}

impl Ret for (OwnedFd, OwnedFd) {
    fn kind() -> String {
        "[Fd, Fd]".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: the caller vouches for `context`.
        unsafe { array(context, [self.0, self.1]) }
    }
}

impl Ret for () {
    fn kind() -> String {
        "void".into()
    }

    unsafe fn give(self, _context: Context) -> q::JSValue {
        q::JS_UNDEFINED
    }
}

impl<T: Ret> Ret for Option<T> {
    fn kind() -> String {
        format!("{} | undefined", T::kind())
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        match self {
            // SAFETY: passed on.
            Some(value) => unsafe { value.give(context) },
            None => q::JS_UNDEFINED,
        }
    }
}

impl Ret for bool {
    fn kind() -> String {
        "boolean".into()
    }

    unsafe fn give(self, _context: Context) -> q::JSValue {
        if self { q::JS_TRUE } else { q::JS_FALSE }
    }
}

impl Ret for i64 {
    fn kind() -> String {
        "number".into()
    }

    #[allow(clippy::cast_precision_loss)]
    unsafe fn give(self, _context: Context) -> q::JSValue {
        match i32::try_from(self) {
            Ok(small) => q::JS_MKVAL(q::JS_TAG_INT, small),
            Err(_) => q::JS_NewFloat64(self as f64),
        }
    }
}

impl Ret for String {
    fn kind() -> String {
        "string".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: the caller vouches for `context`; the engine copies.
        unsafe { q::JS_NewStringLen(context, self.as_ptr().cast(), self.len() as q::size_t) }
    }
}

impl Ret for Vec<u8> {
    fn kind() -> String {
        "Uint8Array".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: the caller vouches for `context`; the engine copies.
        unsafe { q::JS_NewUint8ArrayCopy(context, self.as_ptr(), self.len() as q::size_t) }
    }
}

impl Ret for Vec<String> {
    fn kind() -> String {
        "string[]".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: passed on.
        unsafe { array(context, self) }
    }
}

impl Ret for Vec<Text> {
    fn kind() -> String {
        "string[]".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: passed on.
        unsafe { array(context, self) }
    }
}

impl Ret for Vec<i64> {
    fn kind() -> String {
        "number[]".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: passed on.
        unsafe { array(context, self) }
    }
}

/// # Safety
/// `context` must be alive.
pub unsafe fn array<T: Ret>(context: Context, list: impl IntoIterator<Item = T>) -> q::JSValue {
    // SAFETY: the caller vouches for `context`.
    let array = unsafe { q::JS_NewArray(context) };
    for (index, element) in (0_u32..).zip(list) {
        // SAFETY: as above.
        let value = unsafe { element.give(context) };
        // SAFETY: `value` is given away to the array.
        unsafe { q::JS_SetPropertyUint32(context, array, index, value) };
    }
    array
}

/// # Safety
/// `context` and `object` must be alive.
pub unsafe fn set<T: Ret>(context: Context, object: q::JSValue, name: &CStr, field: T) {
    // SAFETY: the caller vouches for `context`.
    let value = unsafe { field.give(context) };
    // SAFETY: `name` ends in NUL; `value` is given away to the object.
    unsafe { q::JS_SetPropertyStr(context, object, name.as_ptr(), value) };
}

/// A result with named fields.
#[macro_export]
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal),* $(,)? }) => {
        $(#[$doc])*
        pub struct $name { $(pub $field: $type),* }
        impl $crate::sys::results::Ret for $name {
            fn kind() -> String {
                let fields = [$(format!("readonly {}: {}", $key, <$type as $crate::sys::results::Ret>::kind())),*];
                format!("{{ {} }}", fields.join("; "))
            }

            unsafe fn give(self, context: $crate::sys::value::Context) -> qjs_sys::JSValue {
                // SAFETY: the caller vouches for `context`.
                let object = unsafe { qjs_sys::JS_NewObject(context) };
                $({
                    const KEY: &std::ffi::CStr = $crate::sys::c_name(concat!($key, "\0"));
                    // SAFETY: both are alive.
                    unsafe { $crate::sys::results::set(context, object, KEY, self.$field) };
                })*
                object
            }
        }
    };
}

impl Ret for Vec<OwnedFd> {
    fn kind() -> String {
        "Fd[]".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        // SAFETY: passed on.
        unsafe { array(context, self) }
    }
}

/// The engine's exception for a failed call: an Error with `call` (its name) and `code` (the errno's name).
///
/// # Safety
/// `context` must be alive.
pub unsafe fn throw_errno(context: Context, call: &CStr, errno: Errno) -> q::JSValue {
    // SAFETY: the caller vouches for `context`.
    let error = unsafe { q::JS_NewError(context) };
    let name = call.to_string_lossy().into_owned();
    let code = errno.name();
    let message = format!("{name}: {code} ({})", errno.text());
    // SAFETY: all are alive.
    unsafe { set(context, error, c"message", message) };
    // SAFETY: all are alive.
    unsafe { set(context, error, c"call", name) };
    // SAFETY: all are alive.
    unsafe { set(context, error, c"code", code) };
    // An error with a stack is not given one: writing it costs 10 us, and most of these errors are expected.
    // SAFETY: all are alive.
    unsafe { set(context, error, c"stack", String::new()) };
    // SAFETY: `error` is given away.
    unsafe { q::JS_Throw(context, error) }
}

/// # Safety
/// `context` must be alive.
pub unsafe fn throw_mismatch(context: Context, call: &CStr, mismatch: &Mismatch) -> q::JSValue {
    match mismatch {
        // SAFETY: both strings end in NUL and the format takes two.
        Mismatch::Kind(text) => unsafe {
            q::JS_ThrowTypeError(context, c"%s: %s".as_ptr(), call.as_ptr(), text.as_ptr())
        },
        // SAFETY: the caller vouches for `context`.
        Mismatch::Memory => unsafe { q::JS_ThrowOutOfMemory(context) },
    }
}
