//! The engine is made and the program's top level run: when tsrun is built, or at a start where no heap was stored.

use super::{
    FAMILIES,
    arena::{self, Roots},
    builtins,
    engine::{STACK, report},
    fd,
    modules::{self, Module},
    value::Context,
};
use qjs_sys as q;
use std::{
    ffi::{CStr, CString, c_int, c_void},
    ptr,
};

/// How much is allocated before cycles are looked for.
const GARBAGE: q::size_t = 16 << 20;

/// What the engine takes its seeds from when it is made: a constant, because the stored heap is to be the same in every build. So
/// the seeds are the same in every start, and nothing of the engine's interface sets them later. It does no harm: one is for
/// Math.random, which nothing uses; the other is xored into the finished hash of a Map's key (quickjs.c, map_hash_key), so
/// that keys which collide do so with any seed; names of properties are hashed without one. Keys of a stranger's choice come
/// from config.json only, which is 3 MiB at most.
#[unsafe(no_mangle)]
extern "C" fn gettimeofday(time: *mut libc::timeval, _zone: *mut c_void) -> c_int {
    // SAFETY: the engine passes a struct of its own.
    unsafe { time.write(libc::timeval { tv_sec: 1, tv_usec: 0 }) };
    0
}

/// The names of the modules that are asked for: the others are what they share.
#[must_use]
pub fn names(modules: &'static [Module]) -> Vec<&'static str> {
    modules.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("chunk-")).collect()
}

/// Makes the engine and evaluates the modules of `names`, of which the first exports `main`. None: it has been reported.
#[must_use]
pub fn boot(program: &'static [Module], names: &[&str]) -> Option<Roots> {
    modules::offer(program);
    // SAFETY: the functions keep the contract of the C library's, and live for ever.
    let runtime = unsafe { q::JS_NewRuntime2(&raw const arena::FUNCTIONS, ptr::null_mut()) };
    // SAFETY: the runtime was just made.
    unsafe { q::JS_SetMaxStackSize(runtime, STACK) };
    // Cycles are collected late: a command ends before they matter, and a fork should not write to every object.
    // SAFETY: as above.
    unsafe { q::JS_SetGCThreshold(runtime, GARBAGE) };
    // SAFETY: as above; the loader finds the modules by itself.
    unsafe { q::JS_SetModuleLoaderFunc(runtime, Some(modules::normalize), Some(modules::load), ptr::null_mut()) };
    // SAFETY: as above.
    let context = unsafe { q::JS_NewContextRaw(runtime) };
    // SAFETY: the context was just made.
    unsafe { intrinsics(context) };
    // SAFETY: both are alive and this is the first time.
    let fd_class = unsafe { fd::register(runtime, context) };
    // SAFETY: the context is alive.
    let native = unsafe { natives(context) };
    // SAFETY: as above.
    let loaded = unsafe { q::JS_NewObject(context) };
    let mut roots = Roots { runtime, context, main: q::JS_UNDEFINED, native, loaded, fd_class, reg_exp: false };
    arena::set_roots(roots);
    if names.len() > 1 {
        // SAFETY: the context is alive.
        roots.reg_exp = unsafe { add_reg_exp(context) };
        // SAFETY: as above.
        unsafe { builtins::make_all(context) };
    }
    for name in names {
        // SAFETY: the context is alive.
        let namespace = unsafe { modules::import(context, name) };
        // SAFETY: the value is alive.
        if unsafe { q::JS_IsException(namespace) } {
            // SAFETY: the context is alive.
            unsafe { report(context) };
            return None;
        }
        if *name == "main" {
            // SAFETY: as above; the name ends in NUL.
            roots.main = unsafe { q::JS_GetPropertyStr(context, namespace, c"main".as_ptr()) };
        }
    }
    if names.len() > 1 {
        // SAFETY: the context is alive.
        unsafe { widen_tables(context) };
    }
    arena::set_roots(roots);
    Some(roots)
}

/// How many atoms a command may add to those of the program, and half as many as shapes. Not more: an entry of a table is
/// anywhere in it, and the wider it is, the more of its pages are touched.
const SPARE: usize = 500;

/// The engine's tables of shapes and atoms grow when they are full, and every shape is touched then, and copied from the
/// binary: a hundred page faults. So they grow now, by as many as a command may need: each object is the prototype of the
/// next, which makes a shape, and has a property of its own, which makes an atom.
///
/// # Safety
/// `context` must be alive.
unsafe fn widen_tables(context: Context) {
    // SAFETY: the caller vouches for `context`.
    let mut objects = vec![unsafe { q::JS_NewObject(context) }];
    for name in (0..SPARE).filter_map(|number| CString::new(format!("~{number}")).ok()) {
        let Some(before) = objects.last() else { return };
        // SAFETY: as above.
        let object = unsafe { q::JS_NewObjectProto(context, *before) };
        // SAFETY: as above; the name ends in NUL.
        unsafe { q::JS_SetPropertyStr(context, object, name.as_ptr(), q::JS_UNDEFINED) };
        objects.push(object);
    }
    for object in objects {
        // SAFETY: it is ours, and not used again.
        unsafe { q::JS_FreeValue(context, object) };
    }
}

/// What the program uses of the language. RegExp is left out on purpose; see `enableRegExp`.
///
/// # Safety
/// `context` must be alive and new.
unsafe fn intrinsics(context: Context) {
    let add = [
        q::JS_AddIntrinsicBaseObjects,
        q::JS_AddIntrinsicJSON,
        q::JS_AddIntrinsicMapSet,
        q::JS_AddIntrinsicTypedArrays,
        q::JS_AddIntrinsicPromise,
        q::JS_AddIntrinsicBigInt,
    ];
    for add in add {
        // SAFETY: the caller vouches for `context`.
        unsafe { add(context) };
    }
}

/// The object whose functions are the table of native calls, and `load` and `enableRegExp`.
///
/// # Safety
/// `context` must be alive.
unsafe fn natives(context: Context) -> q::JSValue {
    // SAFETY: the caller vouches for `context`.
    let object = unsafe { q::JS_NewObject(context) };
    let own: [(&CStr, Function); 2] = [(c"load", modules::load_call), (c"enableRegExp", enable_reg_exp)];
    let calls = FAMILIES.iter().flat_map(|family| family.iter().map(|call| (call.name, call.function)));
    for (name, function) in own.into_iter().chain(calls) {
        let kind = q::JSCFunctionEnum_JS_CFUNC_generic;
        // SAFETY: as above; the name ends in NUL.
        let value = unsafe { q::JS_NewCFunction2(context, Some(function), name.as_ptr(), 0, kind, 0) };
        // SAFETY: `value` is given away to the object.
        unsafe { q::JS_SetPropertyStr(context, object, name.as_ptr(), value) };
    }
    object
}

type Function = unsafe extern "C" fn(Context, q::JSValue, c_int, *mut q::JSValue) -> q::JSValue;

/// Regular expressions, for libraries that serve help and traces: none is ever applied to text from outside.
unsafe extern "C" fn enable_reg_exp(context: Context, _: q::JSValue, _: c_int, _: *mut q::JSValue) -> q::JSValue {
    if let Some(mut roots) = arena::roots().filter(|roots| !roots.reg_exp) {
        // SAFETY: the engine passes a living context.
        roots.reg_exp = unsafe { add_reg_exp(context) };
        arena::set_roots(roots);
    }
    q::JS_UNDEFINED
}

/// # Safety
/// `context` must be alive.
unsafe fn add_reg_exp(context: Context) -> bool {
    // SAFETY: the caller vouches for `context`.
    unsafe { q::JS_AddIntrinsicRegExp(context) == 0 }
}
