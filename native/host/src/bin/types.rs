//! Prints the TypeScript declaration of the table of native calls.

fn main() {
    print!("{}", tsrun_host::sys::declaration());
}
