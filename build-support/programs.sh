# shellcheck shell=bash
# Builds programs of the workspace beside its tests: with one choice of packages and features, so that no crate is compiled
# twice. Cargo unites the features of what is built at once; another choice is another set of every crate.
#
#   source build-support/programs.sh
#   programs_build --bin weft-load --bin weft     into $CARGO_TARGET_DIR/debug
#   cargo test "${programs_workspace[@]}"         what it builds them beside
#
# In these programs guarantees can be switched off by WEFT_SABOTAGE (crates/sabotage); a release has no such switch. Simulated
# networks are built apart, in a profile of their own.

programs_workspace=(--workspace --exclude weft-simulation --features "weft-bin/sabotage,weft-crash-events/sabotage")

# programs_build TARGET...: beside the libraries and examples, which tests have built. Without libraries what generates code would
# be built by other options than for tests; without examples their dependencies' features would be missing.
programs_build() {
    cargo build --locked "${programs_workspace[@]}" --lib --examples "$@"
}
