//! Between the engine's values and Rust's: what a native call may take and give, and the name that TypeScript has for it.

use super::errno::Errno;
use qjs_sys as q;
use std::{
    ffi::{CStr, CString, c_void},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    slice,
};

pub type Context = *mut q::JSContext;

/// An argument that is not what the table says: a mistake of the program, never of its user.
pub struct Mismatch(pub &'static CStr);

/// What a native call can take.
pub trait Arg: Sized {
    const TYPE: &'static str;

    /// # Errors
    /// `Mismatch` where `value` is of another type.
    ///
    /// # Safety
    /// `value` must be a living value of `context` and stay so while the result is used.
    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch>;
}

/// What a native call can give back.
pub trait Ret {
    /// What TypeScript calls it.
    fn kind() -> String;

    /// # Safety
    /// `context` must be alive.
    unsafe fn give(self, context: Context) -> q::JSValue;
}

/// A descriptor that the program owns.
#[derive(Clone, Copy)]
pub struct Fd(pub RawFd);

/// The directory that a path starts from; null stands for the working directory (`AT_FDCWD`), for absolute host paths.
pub type Dir = Option<Fd>;

/// What a path-taking call starts from.
#[must_use]
pub fn base(dir: Dir) -> BorrowedFd<'static> {
    dir.map_or(rustix::fs::CWD, Fd::get)
}

impl Fd {
    #[must_use]
    pub fn get(self) -> BorrowedFd<'static> {
        // SAFETY: the program closes a descriptor only by `close`, and no call is under way then: there is one thread.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Arg for Fd {
    const TYPE: &'static str = "Fd";

    unsafe fn take(_context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: any object may be asked; it answers null when it is of another class, or closed.
        let stored = unsafe { q::JS_GetOpaque(value, super::fd::class()) };
        match RawFd::try_from(stored.addr()) {
            Ok(number) if number > 0 => Ok(Self(number - 1)),
            _ => Err(Mismatch(c"a descriptor is wanted that is open")),
        }
    }
}

impl Arg for Dir {
    const TYPE: &'static str = "Fd | null";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: the caller vouches for `value`.
        if unsafe { q::JS_IsNull(value) } {
            return Ok(None);
        }
        // SAFETY: passed on.
        unsafe { Fd::take(context, value) }.map(Some)
    }
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

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Arg for $type {
            const TYPE: &'static str = "number";

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
                let mut number = 0_i64;
                // SAFETY: the caller vouches for `value`; `number` is ours.
                if !unsafe { q::JS_IsNumber(value) } || unsafe { q::JS_ToInt64(context, &raw mut number, value) } != 0 {
                    return Err(Mismatch(c"a number is wanted"));
                }
                // Flags travel as unsigned or signed 32-bit numbers: both have the same bits.
                Ok(number as $type)
            }
        }
    )*};
}
integers!(u32, i32, i64, u64, u16);

impl Arg for bool {
    const TYPE: &'static str = "boolean";

    unsafe fn take(_context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: the caller vouches for `value`.
        if !unsafe { q::JS_IsBool(value) } {
            return Err(Mismatch(c"a boolean is wanted"));
        }
        // SAFETY: it is a boolean.
        Ok(unsafe { q::JS_VALUE_GET_BOOL(value) })
    }
}

/// 64 bits that a number cannot hold.
pub struct Wide(pub u64);

impl Arg for Wide {
    const TYPE: &'static str = "bigint";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        let mut wide = 0_u64;
        // SAFETY: the caller vouches for `value`; `wide` is ours.
        if !unsafe { q::JS_IsBigInt(value) } || unsafe { q::JS_ToBigUint64(context, &raw mut wide, value) } != 0 {
            return Err(Mismatch(c"a bigint is wanted"));
        }
        Ok(Self(wide))
    }
}

impl Arg for CString {
    const TYPE: &'static str = "string";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: the caller vouches for `value`.
        if !unsafe { q::JS_IsString(value) } {
            return Err(Mismatch(c"a string is wanted"));
        }
        let mut length: q::size_t = 0;
        // SAFETY: as above; `length` is ours.
        let text = unsafe { q::JS_ToCStringLen(context, (&raw mut length).cast(), value) };
        if text.is_null() {
            return Err(Mismatch(c"out of memory"));
        }
        // SAFETY: the engine says that `text` has `length` bytes.
        let bytes = unsafe { slice::from_raw_parts(text.cast::<u8>(), usize::try_from(length).unwrap_or(0)) }.to_vec();
        // SAFETY: `text` came from the call above and is not used again.
        unsafe { q::JS_FreeCString(context, text) };
        Self::new(bytes).map_err(|_| Mismatch(c"a string must not contain NUL"))
    }
}

impl Arg for Vec<CString> {
    const TYPE: &'static str = "readonly string[]";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        unsafe { elements(context, value) }
    }
}

impl Arg for Vec<Fd> {
    const TYPE: &'static str = "readonly Fd[]";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        unsafe { elements(context, value) }
    }
}

impl Arg for Vec<u32> {
    const TYPE: &'static str = "readonly number[]";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        unsafe { elements(context, value) }
    }
}

/// # Safety
/// As for [`Arg::take`].
unsafe fn elements<T: Arg>(context: Context, value: q::JSValue) -> Result<Vec<T>, Mismatch> {
    let mut length = 0_i64;
    // SAFETY: the caller vouches for `value`; `length` is ours.
    if unsafe { q::JS_GetLength(context, value, &raw mut length) } != 0 {
        return Err(Mismatch(c"an array is wanted"));
    }
    let mut list = Vec::new();
    for index in 0..u32::try_from(length).unwrap_or(0) {
        // SAFETY: as above.
        let element = unsafe { q::JS_GetPropertyUint32(context, value, index) };
        // SAFETY: `element` is ours until it is freed below.
        let taken = unsafe { T::take(context, element) };
        // SAFETY: it was ours, and T holds a copy.
        unsafe { q::JS_FreeValue(context, element) };
        list.push(taken?);
    }
    Ok(list)
}

/// Bytes of a typed array, borrowed for the length of the call.
pub struct Bytes(*const u8, usize);

impl Bytes {
    #[must_use]
    pub fn get(&self) -> &[u8] {
        // SAFETY: no program runs during a native call, so the array neither moves nor shrinks.
        unsafe { slice::from_raw_parts(self.0, self.1) }
    }
}

impl Arg for Bytes {
    const TYPE: &'static str = "Uint8Array";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        let mut length: q::size_t = 0;
        // SAFETY: the caller vouches for `value`; `length` is ours.
        let bytes = unsafe { q::JS_GetUint8Array(context, &raw mut length, value) };
        if bytes.is_null() {
            return Err(Mismatch(c"a Uint8Array is wanted"));
        }
        Ok(Self(bytes, usize::try_from(length).unwrap_or(0)))
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
        impl $crate::sys::value::Ret for $name {
            fn kind() -> String {
                let fields = [$(format!("readonly {}: {}", $key, <$type as $crate::sys::value::Ret>::kind())),*];
                format!("{{ {} }}", fields.join("; "))
            }

            unsafe fn give(self, context: $crate::sys::value::Context) -> qjs_sys::JSValue {
                // SAFETY: the caller vouches for `context`.
                let object = unsafe { qjs_sys::JS_NewObject(context) };
                $({
                    const KEY: &std::ffi::CStr = $crate::sys::c_name(concat!($key, "\0"));
                    // SAFETY: both are alive.
                    unsafe { $crate::sys::value::set(context, object, KEY, self.$field) };
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
    // SAFETY: both strings end in NUL and the format takes two.
    unsafe { q::JS_ThrowTypeError(context, c"%s: %s".as_ptr(), call.as_ptr(), mismatch.0.as_ptr()) }
}

/// A null pointer of the engine's opaque data, with a number in its address.
#[must_use]
pub fn number_as_pointer(number: RawFd) -> *mut c_void {
    std::ptr::without_provenance_mut(usize::try_from(number).map_or(0, |number| number + 1))
}
