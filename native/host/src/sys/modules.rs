//! The program's modules: found by name, evaluated when they are asked for first.

use super::{
    arena,
    results::throw_mismatch,
    value::{Arg, Context},
};
use qjs_sys as q;
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// A module's name, without its ending, and its bytecode.
pub type Module = (&'static str, &'static [u8]);

/// The modules, for the loader: the engine has room for one pointer.
static MODULES: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Makes the modules known to the loader.
pub fn offer(modules: &'static [Module]) {
    let modules = Box::leak(Box::new(modules));
    MODULES.store((&raw mut *modules).cast(), Ordering::Relaxed);
}

/// `load(name)`: the exports of a module, which is evaluated when it is asked for first.
///
/// # Safety
/// To be called by the engine.
pub unsafe extern "C" fn load_call(
    context: Context,
    _: q::JSValue,
    count: c_int,
    values: *mut q::JSValue,
) -> q::JSValue {
    // SAFETY: the engine passes `count` living values.
    let name = unsafe { super::argument(count, values, 0) };
    // SAFETY: as above.
    match unsafe { <CString as Arg>::take(context, name) } {
        // SAFETY: as above.
        Ok(name) => unsafe { loaded(context, &name) },
        // SAFETY: as above.
        Err(mismatch) => unsafe { throw_mismatch(context, c"load", &mismatch) },
    }
}

/// The namespace of a module, from the first time on always the same.
///
/// # Safety
/// `context` must be alive.
unsafe fn loaded(context: Context, name: &CStr) -> q::JSValue {
    let Some(roots) = arena::roots() else { return q::JS_UNDEFINED };
    // SAFETY: the roots are alive; the name ends in NUL.
    let known = unsafe { q::JS_GetPropertyStr(context, roots.loaded, name.as_ptr()) };
    // SAFETY: the value is alive.
    if !unsafe { q::JS_IsUndefined(known) } {
        return known;
    }
    // SAFETY: the caller vouches for `context`.
    unsafe { import(context, &name.to_string_lossy()) }
}

/// Evaluates a module and gives its namespace. No module awaits at its top level, so it has ended when this returns.
///
/// # Safety
/// `context` must be alive.
pub unsafe fn import(context: Context, name: &str) -> q::JSValue {
    // SAFETY: the caller vouches for `context`.
    let module = unsafe { read(context, name) };
    // SAFETY: as above; a failed read has thrown already.
    if unsafe { q::JS_IsException(module) } || unsafe { q::JS_ResolveModule(context, module) } < 0 {
        return q::JS_EXCEPTION;
    }
    // SAFETY: `module` is a module definition, and the engine keeps it in its list.
    let definition = unsafe { q::JS_VALUE_GET_PTR(module) }.cast();
    // SAFETY: `module` is given away.
    let promise = unsafe { q::JS_EvalFunction(context, module) };
    // SAFETY: `promise` is alive.
    if unsafe { q::JS_IsException(promise) } {
        return promise;
    }
    // SAFETY: as above.
    if unsafe { q::JS_PromiseState(context, promise) } == q::JSPromiseStateEnum_JS_PROMISE_REJECTED {
        // SAFETY: as above.
        let reason = unsafe { q::JS_PromiseResult(context, promise) };
        // SAFETY: `reason` is given away.
        return unsafe { q::JS_Throw(context, reason) };
    }
    // SAFETY: the definition is in the engine's list.
    let namespace = unsafe { q::JS_GetModuleNamespace(context, definition) };
    if let (Some(roots), Ok(name)) = (arena::roots(), CString::new(name)) {
        // SAFETY: one more reference, which is given away to the object.
        let held = unsafe { q::JS_DupValue(context, namespace) };
        // SAFETY: all are alive.
        unsafe { q::JS_SetPropertyStr(context, roots.loaded, name.as_ptr(), held) };
    }
    namespace
}

/// # Safety
/// `context` must be alive.
unsafe fn read(context: Context, name: &str) -> q::JSValue {
    // SAFETY: null, or `boot` stored a pointer to a slice that lives for ever. Null is a stored heap: it has them all.
    let modules = unsafe { MODULES.load(Ordering::Relaxed).cast::<&'static [Module]>().as_ref() };
    let modules = modules.copied().unwrap_or_default();
    let Some((_, code)) = modules.iter().find(|(known, _)| *known == name) else {
        // SAFETY: the format takes nothing.
        return unsafe { q::JS_ThrowTypeError(context, c"no such module".as_ptr()) };
    };
    let flags = q::JS_READ_OBJ_BYTECODE.cast_signed();
    // SAFETY: the bytecode was made by the same engine when the program was built.
    unsafe { q::JS_ReadObject(context, code.as_ptr(), code.len() as q::size_t, flags) }
}

/// "./name.js" of an import is the module "name".
///
/// # Safety
/// To be called by the engine.
pub unsafe extern "C" fn normalize(
    context: Context,
    _base: *const c_char,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut c_char {
    // SAFETY: the engine passes a name that ends in NUL.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    let name = name.strip_prefix("./").unwrap_or(name);
    let name = name.strip_suffix(".js").unwrap_or(name);
    // SAFETY: the engine copies `length` bytes and ends them in NUL.
    unsafe { q::js_strndup(context, name.as_ptr().cast(), name.len() as q::size_t) }
}

/// The module of an import.
///
/// # Safety
/// To be called by the engine.
pub unsafe extern "C" fn load(context: Context, name: *const c_char, _opaque: *mut c_void) -> *mut q::JSModuleDef {
    // SAFETY: the engine passes a name that ends in NUL.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    // SAFETY: the engine passes a living context.
    let module = unsafe { read(context, name) };
    // SAFETY: the value is alive.
    if unsafe { q::JS_IsException(module) } {
        return ptr::null_mut();
    }
    // SAFETY: it is a module, which the engine's list keeps alive.
    unsafe { q::JS_VALUE_GET_PTR(module) }.cast()
}
