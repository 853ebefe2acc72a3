//! `tsrun-rehearse SCENARIOS.qbc [LAYOUT]`: learns where the blocks of the stored heap should lie. A start costs what it
//! touches: each page that a command writes to is copied by the kernel, and again on both sides of a fork. So the program's top
//! level runs with every block on pages of its own, commands are gone through in a small world (scripts/rehearsal), each in a
//! process of its own, and what they write to is put together. No privileges are needed, and the same program makes
//! the same layout on every machine. Without LAYOUT the commands are only gone through, for scripts/hot-functions.ts.

mod order;
mod pages;

use super::{
    arena::{self, Roots},
    boot::{self, boot},
    engine::report,
    modules::{self, Module},
};
use qjs_sys as q;
use std::{env, error::Error, ffi::CStr, fs, process::ExitCode};

/// More do not fit into the notes.
const MOST: u32 = u32::BITS;

/// What `prepare` says of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scenario {
    None,
    Usual,
    OfImage,
}

impl Scenario {
    fn of(number: i32) -> Self {
        [Self::None, Self::Usual, Self::OfImage].into_iter().find(|kind| *kind as i32 == number).unwrap_or(Self::None)
    }
}

/// The exit status of a child for whose scenario there is no kind.
const FAILED: i32 = 3;

/// `program` are the modules that a start would have.
#[must_use]
pub fn main(program: &'static [Module]) -> ExitCode {
    match rehearse(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tsrun-rehearse: {error}");
            ExitCode::FAILURE
        }
    }
}

fn rehearse(program: &'static [Module]) -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let (scenarios, out) = match &args[..] {
        [_, scenarios] => (scenarios, None),
        [_, scenarios, out] => (scenarios, Some(out)),
        _ => return Err("usage: tsrun-rehearse SCENARIOS.qbc [LAYOUT]".into()),
    };
    let code: &'static [u8] = fs::read(scenarios)?.leak();
    let modules: &'static [Module] = [program, &[("scenarios", code)]].concat().leak();
    pages::begin()?;
    let names = boot::names(program);
    arena::place_by(Some(pages::place));
    let roots = boot(modules, &names).ok_or("the program's top level failed")?;
    arena::place_by(None);
    in_child(|| first_object(&roots))?;
    let mut of_images = 0;
    // SAFETY: the context is alive.
    let stage = unsafe { modules::import(roots.context, "scenarios") };
    let mut index = 0;
    while index + 1 < MOST {
        match in_child(|| scenario(&roots, stage, index, out.is_some()))? {
            Scenario::None => break,
            Scenario::Usual => (),
            Scenario::OfImage => of_images |= pages::bit(index + 1),
        }
        index += 1;
    }
    if let Some(out) = out {
        fs::write(out, order::layout(pages::blocks(), of_images)?.to_bytes())?;
    }
    Ok(())
}

/// The first object that a start makes is linked to the last one of the top level, which the scenarios' own would hide.
fn first_object(roots: &Roots) -> Result<Scenario, Box<dyn Error>> {
    pages::watch(0)?;
    // SAFETY: the context is alive.
    unsafe { q::JS_NewObject(roots.context) };
    pages::rest()?;
    Ok(Scenario::Usual)
}

/// Goes through a scenario, which ends as it should, if there is such a one.
fn scenario(roots: &Roots, stage: q::JSValue, index: u32, watched: bool) -> Result<Scenario, Box<dyn Error>> {
    let number = q::JS_MKVAL(q::JS_TAG_INT, index.cast_signed());
    let kind = call(roots, stage, c"prepare", &mut [roots.native, number])?;
    // SAFETY: it is an integer.
    let kind = Scenario::of(unsafe { q::JS_VALUE_GET_INT(kind) });
    if kind == Scenario::None {
        return Ok(kind);
    }
    if watched {
        pages::watch(index + 1)?;
    }
    let played = call(roots, stage, c"play", &mut [roots.main, roots.native]);
    pages::rest()?;
    played.map(|_| kind)
}

/// Calls a function of the stage. An error is told.
fn call(roots: &Roots, stage: q::JSValue, name: &CStr, args: &mut [q::JSValue]) -> Result<q::JSValue, Box<dyn Error>> {
    let count = i32::try_from(args.len())?;
    // SAFETY: the context and the stage are alive; the name ends in NUL.
    let function = unsafe { q::JS_GetPropertyStr(roots.context, stage, name.as_ptr()) };
    // SAFETY: all are alive.
    let answer = unsafe { q::JS_Call(roots.context, function, q::JS_UNDEFINED, count, args.as_mut_ptr()) };
    // SAFETY: the value is alive.
    if !unsafe { q::JS_IsException(answer) } {
        return Ok(answer);
    }
    pages::rest()?;
    // SAFETY: the context is alive.
    unsafe { report(roots.context) };
    Err("a scenario did not end as it should: see scripts/rehearsal".into())
}

/// A process of its own for `act`: what it leaves of the heap is nobody else's.
fn in_child(act: impl FnOnce() -> Result<Scenario, Box<dyn Error>>) -> Result<Scenario, Box<dyn Error>> {
    // SAFETY: there is one thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let status = match act() {
            Ok(kind) => kind as i32,
            Err(error) => {
                eprintln!("tsrun-rehearse: {error}");
                FAILED
            }
        };
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: `status` is ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, kind) if kind != FAILED => Ok(Scenario::of(kind)),
        _ => Err(format!("a scenario failed with status {status}").into()),
    }
}
