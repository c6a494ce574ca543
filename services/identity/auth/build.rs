//! A migration that is added is embedded: the macro that embeds them sees changes of files, not new ones.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
