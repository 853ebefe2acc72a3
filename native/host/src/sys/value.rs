//! What a native call may take of the engine's values, and the name that TypeScript has for it. What it gives is in
//! `results`.

use super::text::{Borrowed, Text, bytes_of};
use qjs_sys as q;
use std::{
    ffi::{CStr, CString, c_void},
    os::fd::{BorrowedFd, RawFd},
    slice,
};

pub type Context = *mut q::JSContext;

/// Why an argument cannot be taken.
pub enum Mismatch {
    /// It is not what the table says: a mistake of the program, never of its user.
    Kind(&'static CStr),
    /// There is no room for a copy of it.
    Memory,
}

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
            _ => Err(Mismatch::Kind(c"a descriptor is wanted that is open")),
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

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Arg for $type {
            const TYPE: &'static str = "number";

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
                let mut number = 0_i64;
                // SAFETY: the caller vouches for `value`; `number` is ours.
                if !unsafe { q::JS_IsNumber(value) } || unsafe { q::JS_ToInt64(context, &raw mut number, value) } != 0 {
                    return Err(Mismatch::Kind(c"a number is wanted"));
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
            return Err(Mismatch::Kind(c"a boolean is wanted"));
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
            return Err(Mismatch::Kind(c"a bigint is wanted"));
        }
        Ok(Self(wide))
    }
}

impl Arg for Borrowed {
    const TYPE: &'static str = "string";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: the caller vouches for `value`.
        if !unsafe { q::JS_IsString(value) } {
            return Err(Mismatch::Kind(c"a string is wanted"));
        }
        // SAFETY: as above.
        unsafe { Self::of(context, value) }.ok_or_else(|| {
            // SAFETY: the exception that the engine has thrown gives way to the one that the call throws.
            let thrown = unsafe { q::JS_GetException(context) };
            // SAFETY: it is ours.
            unsafe { q::JS_FreeValue(context, thrown) };
            Mismatch::Memory
        })
    }
}

/// The bytes of a string.
///
/// # Safety
/// As for [`Arg::take`].
unsafe fn string(context: Context, value: q::JSValue) -> Result<Vec<u8>, Mismatch> {
    // SAFETY: passed on.
    let text = unsafe { Borrowed::take(context, value) }?;
    bytes_of(text.get()).map_err(|_| Mismatch::Memory)
}

impl Arg for CString {
    const TYPE: &'static str = "string";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        let bytes = unsafe { string(context, value) }?;
        Self::new(bytes).map_err(|_| Mismatch::Kind(c"a string must not contain NUL"))
    }
}

impl Arg for Text {
    const TYPE: &'static str = "string";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        unsafe { string(context, value) }.map(Self)
    }
}

impl Arg for Vec<CString> {
    const TYPE: &'static str = "readonly string[]";

    unsafe fn take(context: Context, value: q::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: passed on.
        unsafe { elements(context, value) }
    }
}

impl Arg for Vec<Text> {
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
        return Err(Mismatch::Kind(c"an array is wanted"));
    }
    let mut list = Vec::new();
    for index in 0..u32::try_from(length).unwrap_or(0) {
        // SAFETY: as above.
        let element = unsafe { q::JS_GetPropertyUint32(context, value, index) };
        // SAFETY: `element` is ours until it is freed below.
        let taken = unsafe { T::take(context, element) };
        // SAFETY: it was ours, and T holds a copy.
        unsafe { q::JS_FreeValue(context, element) };
        list.try_reserve(1).map_err(|_| Mismatch::Memory)?;
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
            return Err(Mismatch::Kind(c"a Uint8Array is wanted"));
        }
        Ok(Self(bytes, usize::try_from(length).unwrap_or(0)))
    }
}

/// A null pointer of the engine's opaque data, with a number in its address.
#[must_use]
pub fn number_as_pointer(number: RawFd) -> *mut c_void {
    std::ptr::without_provenance_mut(usize::try_from(number).map_or(0, |number| number + 1))
}
