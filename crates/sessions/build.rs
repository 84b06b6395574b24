//! The migrations are compiled into the crate. Cargo does not notice a new one by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
