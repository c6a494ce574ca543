#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

/// A folder that looks like weft's sources to who looks for them.
fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("crates/weft")).unwrap();
    fs::write(folder.path().join("crates/weft/Cargo.toml"), "").unwrap();
    folder
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// What people wrote of the example, not what building it left behind.
fn example() -> BTreeMap<String, String> {
    let mut example = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/greeter"));
    example.retain(|name, _| name != "Cargo.lock" && !name.starts_with("target/") && !name.starts_with(".weft/"));
    example
}

#[test]
fn a_domain_named_greeter_is_the_example_byte_for_byte() {
    let weft = repository();
    let folder = PathBuf::from("examples/greeter");
    assert_eq!(write(weft.path(), "greeter", Some(folder.clone()), None).unwrap(), folder);
    assert_eq!(files(&weft.path().join(folder)), example());
}

#[test]
fn the_example_has_less_than_150_lines() {
    let lines: usize = example().values().map(|text| text.lines().count()).sum();
    assert!(lines < 150, "examples/greeter has {lines} lines");
}

#[test]
fn a_domain_of_another_name_is_a_contract_that_builds() {
    let (weft, elsewhere, out) = (repository(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(elsewhere.path(), "invoices2", None, Some(weft.path().to_owned())).unwrap();
    let folder = elsewhere.path().join("invoices2");
    let written = files(&folder);
    assert!(written.iter().all(|(name, text)| !format!("{name}{text}").to_lowercase().contains("greeter")), "{written:?}");
    let to_weft = written["Cargo.toml"].lines().find_map(|line| line.strip_prefix("weft = { path = \"")).unwrap();
    assert!(folder.join(to_weft.trim_end_matches("\" }")).join("Cargo.toml").is_file(), "{to_weft}");
    let contract = weft_codegen::Contract::new("invoices2/v1/invoices2.proto").include("proto");
    contract.generate_in(&folder, out.path()).unwrap();
    let code = fs::read_to_string(out.path().join("contract.rs")).unwrap();
    for used in ["Invoices2Contract", "Invoices2Client", "Invoices2Reason", "trait Invoices2"] {
        assert!(code.contains(used) && (written.values().any(|text| text.contains(used)) || used.starts_with("trait")), "{used}");
    }
}

#[test]
fn a_name_that_would_not_build_is_refused() {
    let weft = repository();
    for bad in ["", "2orders", "Orders", "or-ders", "or_ders", "fn", "weft", "greeting", &"a".repeat(33)] {
        let refused = write(weft.path(), bad, None, None).unwrap_err();
        assert!(matches!(refused, NewError::Name { .. } | NewError::NameTaken { .. }), "{bad:?}: {refused}");
    }
    assert_eq!(files(weft.path()).len(), 1, "nothing was written");
}

#[test]
fn what_is_there_is_never_written_over() {
    let weft = repository();
    fs::create_dir(weft.path().join("orders")).unwrap();
    fs::write(weft.path().join("orders/mine"), "mine").unwrap();
    assert!(matches!(write(weft.path(), "orders", None, None), Err(NewError::Exists { .. })));
    assert!(matches!(write(weft.path(), "orders", Some("orders/mine".into()), None), Err(NewError::Exists { .. })));
    assert_eq!(files(&weft.path().join("orders")).len(), 1);
}

#[test]
fn without_weft_nothing_is_written() {
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(matches!(write(elsewhere.path(), "orders", None, None), Err(NewError::WeftUnknown)));
    assert!(matches!(write(elsewhere.path(), "orders", None, Some(".".into())), Err(NewError::NotWeft { .. })));
    assert!(files(elsewhere.path()).is_empty());
}
