//! The class `Fd`: a descriptor with one owner. TypeScript binds it with `using`; it has no finalizer, so that one that is
//! forgotten is found by a test and not closed by chance.

use super::value::{Context, number_as_pointer};
use qjs_sys as q;
use std::{
    ffi::{CStr, c_int},
    os::fd::RawFd,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

/// Given out by the engine in the order of asking; one of the arena's roots.
static CLASS: AtomicU32 = AtomicU32::new(0);

pub const DECLARATION: &str = "/** A descriptor with one owner: closed when its scope ends, or by `take` given away. */
export interface Fd {
  /** The kernel's number: for messages and for what execve keeps, never for a call. */
  readonly number: number;
  /** Gives the descriptor away: this object is closed afterwards, the new one owns it. */
  take(): Fd;
  /** close(2); a second time it does nothing. */
  [Symbol.dispose](): void;
}
";

pub(super) fn class() -> q::JSClassID {
    CLASS.load(Ordering::Relaxed)
}

/// The class's number in an engine that was found in the binary.
pub fn restore(id: q::JSClassID) {
    CLASS.store(id, Ordering::Relaxed);
}

/// Makes the class known to the engine; gives its number.
///
/// # Safety
/// `context` must be alive, and this must be called once.
pub unsafe fn register(runtime: *mut q::JSRuntime, context: Context) -> q::JSClassID {
    let mut id: q::JSClassID = 0;
    // SAFETY: `runtime` is alive and `id` ours.
    unsafe { q::JS_NewClassID(runtime, &raw mut id) };
    CLASS.store(id, Ordering::Relaxed);
    let class = q::JSClassDef {
        class_name: c"Fd".as_ptr(),
        finalizer: None,
        gc_mark: None,
        call: None,
        exotic: ptr::null_mut(),
    };
    // SAFETY: the engine copies what it needs of `class`.
    unsafe { q::JS_NewClass(runtime, id, &raw const class) };
    // SAFETY: the caller vouches for `context`.
    let prototype = unsafe { q::JS_NewObject(context) };
    // SAFETY: as above.
    unsafe { method(context, prototype, c"take", take) };
    // SAFETY: as above.
    unsafe { getter(context, prototype) };
    // SAFETY: as above; the engine has this symbol since it has `using`.
    let dispose = unsafe {
        q::JS_NewCFunction2(context, Some(close), c"close".as_ptr(), 0, q::JSCFunctionEnum_JS_CFUNC_generic, 0)
    };
    // SAFETY: `dispose` is given away to the prototype.
    unsafe { q::JS_DefinePropertyValue(context, prototype, q::JS_ATOM_Symbol_dispose, dispose, 0) };
    // SAFETY: `prototype` is given away.
    unsafe { q::JS_SetClassProto(context, id, prototype) };
    id
}

type Function = unsafe extern "C" fn(Context, q::JSValue, c_int, *mut q::JSValue) -> q::JSValue;

/// # Safety
/// `context` and `object` must be alive.
unsafe fn method(context: Context, object: q::JSValue, name: &CStr, function: Function) {
    // SAFETY: the caller vouches for `context`.
    let value = unsafe {
        q::JS_NewCFunction2(context, Some(function), name.as_ptr(), 0, q::JSCFunctionEnum_JS_CFUNC_generic, 0)
    };
    // SAFETY: `value` is given away.
    unsafe { q::JS_DefinePropertyValueStr(context, object, name.as_ptr(), value, 0) };
}

/// # Safety
/// `context` and `prototype` must be alive.
unsafe fn getter(context: Context, prototype: q::JSValue) {
    // SAFETY: the caller vouches for `context`.
    let get = unsafe {
        q::JS_NewCFunction2(context, Some(number), c"number".as_ptr(), 0, q::JSCFunctionEnum_JS_CFUNC_generic, 0)
    };
    // SAFETY: the name ends in NUL.
    let name = unsafe { q::JS_NewAtom(context, c"number".as_ptr()) };
    // SAFETY: `get` is given away, `name` is ours.
    unsafe { q::JS_DefinePropertyGetSet(context, prototype, name, get, q::JS_UNDEFINED, 0) };
    // SAFETY: `name` is not used again.
    unsafe { q::JS_FreeAtom(context, name) };
}

/// A new owner of `number`.
///
/// # Safety
/// `context` must be alive.
pub(super) unsafe fn object(context: Context, number: RawFd) -> q::JSValue {
    // SAFETY: the class is registered.
    let object = unsafe { q::JS_NewObjectClass(context, class()) };
    // SAFETY: the object was just made; the number stands in for a pointer and is never followed.
    unsafe { q::JS_SetOpaque(object, number_as_pointer(number)) };
    object
}

/// The number that `this` owns, and -1 if none.
///
/// # Safety
/// `this` must be alive.
unsafe fn owned(this: q::JSValue) -> RawFd {
    // SAFETY: any object may be asked.
    let stored = unsafe { q::JS_GetOpaque(this, class()) };
    RawFd::try_from(stored.addr()).map_or(-1, |number| number - 1)
}

unsafe extern "C" fn number(_: Context, this: q::JSValue, _: c_int, _: *mut q::JSValue) -> q::JSValue {
    // SAFETY: called by the engine.
    q::JS_MKVAL(q::JS_TAG_INT, unsafe { owned(this) })
}

unsafe extern "C" fn take(context: Context, this: q::JSValue, _: c_int, _: *mut q::JSValue) -> q::JSValue {
    // SAFETY: called by the engine.
    let number = unsafe { owned(this) };
    // SAFETY: as above.
    unsafe { q::JS_SetOpaque(this, ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { object(context, number) }
}

unsafe extern "C" fn close(_: Context, this: q::JSValue, _: c_int, _: *mut q::JSValue) -> q::JSValue {
    // SAFETY: called by the engine.
    let number = unsafe { owned(this) };
    if number >= 0 {
        // SAFETY: as above.
        unsafe { q::JS_SetOpaque(this, ptr::null_mut()) };
        // SAFETY: the object owned the number and no longer does. An error is nobody's to mend: close(2).
        unsafe { libc::close(number) };
    }
    q::JS_UNDEFINED
}
