//! The engine: a quickjs-ng without parser, its memory in the arena, its modules compiled when the program was built.

use super::{
    advice::{Use, expect},
    arena::{self, Roots},
    boot::boot,
    fd,
    modules::Module,
    results::Ret,
    store::store,
    text::Text,
    trace,
    value::Context,
};
use crate::protect::protect;
use qjs_sys as q;
use std::ffi::{CStr, c_char, c_int};

/// Half of the stack that Linux gives by default, so that deep input is an error and not a crash.
pub const STACK: q::size_t = 4 << 20;

/// Half of the stack that the caller grants, where that is less: `ulimit -s`.
fn stack() -> q::size_t {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the struct is ours; where the call fails, it stays as it is.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    STACK.min(limit.rlim_cur / 2)
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

/// Prints the exception that the program let out.
///
/// # Safety
/// `context` must be alive.
pub unsafe fn report(context: Context) {
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
pub unsafe fn start(modules: &'static [Module], argument_list: *const *const c_char) -> c_int {
    if !open_standard() {
        return 1;
    }
    // SAFETY: plain look-up in the auxiliary vector.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        eprintln!("tsrun: must not be set-user-ID or have file capabilities");
        return 1;
    }
    // SAFETY: the C library vouches for it.
    let args = unsafe { strings(argument_list) };
    if let (None, [_, option, heap, layout]) = (arena::roots(), args.as_slice())
        && option.as_str() == Some("--store-heap")
    {
        return store(modules, heap.as_str().unwrap_or_default(), layout.as_str().unwrap_or_default()).into();
    }
    // SAFETY: the environment follows the arguments and their null: System V ABI, AMD64, "Process Initialization".
    let environment = unsafe { argument_list.add(args.len() + 1) };
    // SAFETY: as above.
    let env = unsafe { strings(environment) };
    trace::begin(&env);
    let entering = protect(&args, &env);
    if arena::roots().is_some() {
        let has_image = args.iter().any(|arg| arg.as_str().is_some_and(|text| text.starts_with("--image")));
        expect(match (entering, has_image) {
            (false, _) => Use::Little,
            (true, false) => Use::Much,
            (true, true) => Use::Image,
        });
    }
    run(modules, args, env).into()
}

/// # Safety
/// `list` must point to strings that end in NUL, and then null.
unsafe fn strings(list: *const *const c_char) -> Vec<Text> {
    let mut texts = Vec::with_capacity(32);
    loop {
        // SAFETY: not beyond the null.
        let place = unsafe { list.add(texts.len()) };
        // SAFETY: as above.
        let text = unsafe { place.read() };
        if text.is_null() {
            return texts;
        }
        // SAFETY: the caller vouches for the strings.
        texts.push(Text::from(unsafe { CStr::from_ptr(text) }));
    }
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
        pub unsafe extern "C" fn main(
            _count: std::ffi::c_int,
            argv: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            // SAFETY: the arguments are those of the C library.
            unsafe { $crate::sys::engine::start($modules, argv) }
        }
    };
}
