//! The migrations are part of the binary: a new one must rebuild it, which cargo cannot see by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
