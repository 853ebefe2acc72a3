//! The engine: a quickjs-ng without parser, its memory in the arena, its modules compiled when the program was built.

use super::{
    FAMILIES,
    arena::{self, Roots},
    fd,
    modules::{self, Module},
    results::Ret,
    text::Text,
    trace,
    value::Context,
};
use crate::protect::protect;
use qjs_sys as q;
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

/// Half of the stack that Linux gives by default, so that deep input is an error and not a crash.
const STACK: q::size_t = 4 << 20;

/// Half of the stack that the caller grants, where that is less: `ulimit -s`.
fn stack() -> q::size_t {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is ours; where the call fails, it stays as it is.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    STACK.min(limit.rlim_cur / 2)
}

/// How much is allocated before cycles are looked for.
const GARBAGE: q::size_t = 16 << 20;

/// The engine seeds Math.random, which nothing uses, and its hash tables with the time of day. The stored heap is to be the
/// same in every build.
#[unsafe(no_mangle)]
extern "C" fn gettimeofday(time: *mut libc::timeval, _zone: *mut c_void) -> c_int {
    // SAFETY: the engine passes a struct of its own.
    unsafe { time.write(libc::timeval { tv_sec: 1, tv_usec: 0 }) };
    0
}

/// Runs the program: calls the export `main(native, args, env)` of the module `main` and gives the exit status that it
/// answers. An exception that it lets out is a defect of the program: its text and stack are printed, the status is 70.
#[must_use]
pub fn run(modules: &'static [Module], args: Vec<Text>, env: Vec<Text>) -> u8 {
    let Some(roots) = arena::roots().or_else(|| boot(modules, &["main"])) else { return 70 };
    fd::restore(roots.fd_class);
    // SAFETY: the roots are those of a living engine.
    unsafe { q::JS_UpdateStackTop(roots.runtime) };
    // SAFETY: as above.
    unsafe { q::JS_SetMaxStackSize(roots.runtime, stack()) };
    // SAFETY: as above.
    let answer = unsafe { call_main(&roots, args, env) };
    // SAFETY: the value is alive.
    if unsafe { q::JS_IsException(answer) } {
        // SAFETY: the context is alive.
        unsafe { report(roots.context) };
        return 70;
    }
    let mut status = 0_i32;
    // SAFETY: all are alive, `status` is ours.
    unsafe { q::JS_ToInt32(roots.context, &raw mut status, answer) };
    u8::try_from(status).unwrap_or(255)
}

/// Makes the engine and evaluates the modules of `names`, of which the first exports `main`. None: it has been reported.
fn boot(program: &'static [Module], names: &[&str]) -> Option<Roots> {
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
    arena::set_roots(roots);
    Some(roots)
}

/// Evaluates every module that the program can load and writes the arena to `path`, for `scripts/build`.
fn store(modules: &'static [Module], path: &str) -> u8 {
    let names: Vec<&str> = modules.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("chunk-")).collect();
    if boot(modules, &names).is_none() {
        return 70;
    }
    match arena::image().map(|image| std::fs::write(path, image)) {
        Some(Ok(())) => 0,
        Some(Err(error)) => {
            eprintln!("tsrun: cannot write {path}: {error}");
            1
        }
        None => {
            eprintln!("tsrun: the program's heap is larger than the room in the binary: raise STORED in arena.rs");
            1
        }
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

/// # Safety
/// `roots` must be those of a living engine.
unsafe fn call_main(roots: &Roots, args: Vec<Text>, env: Vec<Text>) -> q::JSValue {
    let context = roots.context;
    // SAFETY: the caller vouches for `context`.
    let mut arguments = [roots.native, unsafe { args.give(context) }, q::JS_UNDEFINED];
    // SAFETY: as above.
    arguments[2] = unsafe { env.give(context) };
    // SAFETY: all values are alive.
    unsafe { q::JS_Call(context, roots.main, q::JS_UNDEFINED, 3, arguments.as_mut_ptr()) }
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

/// Prints the exception that the program let out.
///
/// # Safety
/// `context` must be alive.
unsafe fn report(context: Context) {
    // SAFETY: the caller vouches for `context`.
    let error = unsafe { q::JS_GetException(context) };
    for field in [None, Some(c"stack")] {
        let value = match field {
            None => error,
            // SAFETY: as above; the name ends in NUL.
            Some(field) => unsafe { q::JS_GetPropertyStr(context, error, field.as_ptr()) },
        };
        // SAFETY: as above.
        let text = unsafe { q::JS_ToCString(context, value) };
        if !text.is_null() {
            // SAFETY: the engine's strings end in NUL.
            eprintln!("{}", unsafe { CStr::from_ptr(text) }.to_string_lossy());
        }
    }
}

/// Opens /dev/null for each of 0, 1 and 2 that the caller has closed: else a file of ours would get the number, and what is
/// written to standard error would go into it. As Go's and Rust's own start-ups do. Says whether all three are open.
fn open_standard() -> bool {
    (0..=2).all(|number| {
        // SAFETY: asks only whether the number is open.
        let open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
        // The lowest number that is free, which is this one: open(2).
        // SAFETY: the path ends in NUL.
        open || unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) } == number
    })
}

/// The entry of a program: `argv` and the environment as lists, and never with more rights than the caller's own.
///
/// # Safety
/// To be called by the C library's start-up, with its arguments.
#[must_use]
pub unsafe fn start(modules: &'static [Module], count: c_int, argument_list: *const *const c_char) -> c_int {
    if !open_standard() {
        return 1;
    }
    // SAFETY: plain look-up in the auxiliary vector.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        eprintln!("tsrun: must not be set-user-ID or have file capabilities");
        return 1;
    }
    // SAFETY: the C library vouches for both.
    let args = unsafe { strings(argument_list, usize::try_from(count).unwrap_or(0)) };
    if let (None, [_, option, path]) = (arena::roots(), args.as_slice())
        && option.as_str() == Some("--store-heap")
    {
        return store(modules, path.as_str().unwrap_or_default()).into();
    }
    let env: Vec<Text> = std::env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            Text::from(name)
        })
        .collect();
    trace::begin(&env);
    protect(&args, &env);
    run(modules, args, env).into()
}

/// # Safety
/// `list` must point to `count` strings that end in NUL.
unsafe fn strings(list: *const *const c_char, count: usize) -> Vec<Text> {
    (0..count)
        .map(|index| {
            // SAFETY: within the list.
            let place = unsafe { list.add(index) };
            // SAFETY: as above.
            let text = unsafe { place.read() };
            // SAFETY: the caller vouches for the strings.
            Text::from(unsafe { CStr::from_ptr(text) })
        })
        .collect()
}

/// Makes `main` of a program.
#[macro_export]
macro_rules! entry {
    ($modules:expr) => {
        /// Called by the C library.
        ///
        /// # Safety
        /// By nobody else.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(count: std::ffi::c_int, argv: *const *const std::ffi::c_char) -> std::ffi::c_int {
            // SAFETY: the arguments are those of the C library.
            unsafe { $crate::sys::engine::start($modules, count, argv) }
        }
    };
}
