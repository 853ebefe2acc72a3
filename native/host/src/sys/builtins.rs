//! The functions of the language, all of them. The engine makes each one when it is asked for first, which would be in every
//! start anew; in the stored heap they are there.

use super::value::Context;
use qjs_sys as q;
use std::{ffi::c_int, ptr, slice};

/// From the global object to the functions of a prototype: `Array`, `Array.prototype`, `Array.prototype.map`.
const DEPTH: u32 = 3;

/// # Safety
/// `context` must be alive.
pub unsafe fn make_all(context: Context) {
    // SAFETY: the caller vouches for `context`.
    let global = unsafe { q::JS_GetGlobalObject(context) };
    // SAFETY: both are alive.
    unsafe { make(context, global, DEPTH) };
    // SAFETY: the value is not used again.
    unsafe { q::JS_FreeValue(context, global) };
}

/// Makes what the properties of `object` hold, and of those what theirs hold.
///
/// # Safety
/// `context` and `object` must be alive.
unsafe fn make(context: Context, object: q::JSValue, depth: u32) {
    // SAFETY: the value is alive.
    if depth == 0 || !unsafe { q::JS_IsObject(object) } {
        return;
    }
    let mut names: *mut q::JSPropertyEnum = ptr::null_mut();
    let mut count = 0;
    let flags = (q::JS_GPN_STRING_MASK | q::JS_GPN_SYMBOL_MASK).cast_signed();
    // SAFETY: all are alive or ours.
    if unsafe { q::JS_GetOwnPropertyNames(context, &raw mut names, &raw mut count, object, flags) } < 0 || count == 0 {
        return;
    }
    // SAFETY: the engine gave `count` names.
    for name in unsafe { slice::from_raw_parts(names, count as usize) } {
        // SAFETY: all are alive.
        unsafe { make_property(context, object, name.atom, depth) };
    }
    // SAFETY: the names are not used again.
    unsafe { q::JS_FreePropertyEnum(context, names, count) };
}

/// As a descriptor, because that calls no getter.
///
/// # Safety
/// All must be alive.
unsafe fn make_property(context: Context, object: q::JSValue, name: q::JSAtom, depth: u32) {
    let none = q::JS_UNDEFINED;
    let mut held = q::JSPropertyDescriptor { flags: 0, value: none, getter: none, setter: none };
    // SAFETY: the caller vouches for the rest.
    let found: c_int = unsafe { q::JS_GetOwnProperty(context, &raw mut held, object, name) };
    if found <= 0 {
        return;
    }
    // SAFETY: the value is alive.
    unsafe { make(context, held.value, depth - 1) };
    for value in [held.value, held.getter, held.setter] {
        // SAFETY: the descriptor owned the value.
        unsafe { q::JS_FreeValue(context, value) };
    }
}
