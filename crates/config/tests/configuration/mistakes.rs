//! Every mistake is one sentence that names the setting, its source and what was expected.

use crate::given::{environment, refusal_of_file, refusal_of_flag, refusal_of_variable};
use serde::Deserialize;
use weft_config::{Config, Sources};

#[test]
fn an_unknown_key_in_the_file_is_refused_with_the_nearest_setting() {
    assert_eq!(
        refusal_of_file("[databse]\nurl = \"x\"\n"),
        "weft.toml:1: unknown setting \"databse.url\" (did you mean \"database.url\"?)"
    );
    assert_eq!(
        refusal_of_file("[edge]\nport = 1\nprot = 2\n"),
        "weft.toml:3: unknown setting \"edge.prot\" (did you mean \"edge.port\"?)"
    );
    assert_eq!(
        refusal_of_file("[mesh.port]\norders = 2\n"),
        "weft.toml:1: unknown setting \"mesh.port.orders\" (did you mean \"mesh.ports.orders\"?)"
    );
    assert_eq!(refusal_of_file("frobnication = 2\n"), "weft.toml:1: unknown setting \"frobnication\"");
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_one() {
    assert_eq!(
        refusal_of_variable("WEFT_EDGE_PROT", "1"),
        "WEFT_EDGE_PROT: no setting has this variable (did you mean \"WEFT_EDGE_PORT\"?)"
    );
    assert_eq!(refusal_of_variable("WEFT_MESH_PORTS_", "1").split(':').next(), Some("WEFT_MESH_PORTS_"));
    assert_eq!(refusal_of_variable("WEFT_DOMAINS_ORDERS", "1").split(':').next(), Some("WEFT_DOMAINS_ORDERS"));
}

#[test]
fn an_unknown_flag_is_refused_with_the_nearest_setting() {
    assert_eq!(refusal_of_flag("edge.prt", "1"), "--set edge.prt: unknown setting \"edge.prt\" (did you mean \"edge.port\"?)");
    assert_eq!(refusal_of_flag("edge", "1"), "--set edge: \"edge\" is a section, it cannot have a value");
    assert!(refusal_of_flag("mesh.ports.", "1").contains("unknown setting"));
}

#[test]
fn a_wrong_type_is_refused_in_every_source() {
    assert_eq!(refusal_of_file("[edge]\n\nport = \"abc\"\n"), "weft.toml:3: edge.port: \"abc\" is not a port (0-65535)");
    assert_eq!(refusal_of_variable("WEFT_EDGE_PORT", "abc"), "WEFT_EDGE_PORT: \"abc\" is not a port (0-65535)");
    assert_eq!(refusal_of_variable("PORT", "70000"), "PORT: edge.port: 70000 is not a port (0-65535)");
    assert_eq!(refusal_of_flag("edge.port", "-1"), "--set edge.port: -1 is not a port (0-65535)");
    assert_eq!(refusal_of_file("edge.port.x = 1\n"), "weft.toml:1: edge.port: a table is not a port (0-65535)");
    assert_eq!(refusal_of_file("edge = 1\n"), "weft.toml:1: \"edge\" is a section, it cannot have a value");
    assert_eq!(refusal_of_variable("WEFT_MESH_PORTS_ORDERS", "x"), "WEFT_MESH_PORTS_ORDERS: \"x\" is not a port (0-65535)");
}

#[test]
fn a_value_out_of_its_bounds_is_refused() {
    for (path, value) in [
        ("edge.header_timeout", "0s"),
        ("edge.header_timeout", "10"),
        ("edge.header_timeout", "9999years"),
        ("edge.max_body", "4GiB"),
        ("edge.max_body", "-1"),
        ("edge.max_body", "4mb"),
        ("edge.max_body", "99999999999999999999GiB"),
        ("edge.max_header", "1B"),
        ("edge.address", "localhost"),
        ("database.max_connections", "0"),
        ("auth.max_parallel_hashes", "0"),
        ("otel.sample_ratio", "1.1"),
        ("otel.sample_ratio", "NaN"),
        ("otel.endpoint", "collector:4317"),
        ("consul.address", "ftp://x"),
        ("consul.advertise", "orders:8091"),
        ("consul.advertise", "[::1"),
        ("consul.tags", "a,,b"),
        ("dns.name", "orders.svc."),
        ("dns.port", "70000"),
        ("dns.servers", "10.0.0.10"),
        ("mesh.trust_domain", "Weft"),
        ("mesh.trust_domain", ""),
        ("mesh.upstreams.orders", "orders"),
        ("mesh.upstreams.orders", "orders:0"),
        ("mesh.upstreams.orders", ":1"),
        ("log.format", "xml"),
    ] {
        let refusal = refusal_of_flag(path, value);
        assert!(refusal.starts_with(&format!("--set {path}: ")) && refusal.contains(" is not "), "{refusal}");
    }
}

#[test]
fn a_drain_timeout_may_be_zero() {
    let none = Sources { flags: vec![("edge.drain_timeout".to_owned(), "0s".to_owned())], ..Sources::default() };
    assert!(Config::load(&none).unwrap().config.edge.drain_timeout.is_zero());
}

#[test]
fn a_named_file_must_exist() {
    let missing = Sources { file: Some("/nonexistent/weft.toml".into()), ..Sources::default() };
    let refusal = Config::load(&missing).unwrap_err().to_string();
    assert!(refusal.starts_with("/nonexistent/weft.toml: the configuration file cannot be read: "), "{refusal}");
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_line_without_its_text() {
    let refusal = refusal_of_file("[database]\nurl = \"postgres://app:hunter2@db/weft\n");
    assert!(refusal.starts_with("weft.toml:2: "), "{refusal}");
    assert!(!refusal.contains("hunter2"), "{refusal}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let mut sources = environment(&[]);
    sources.environment.insert("WEFT_DATA_DIR".to_owned(), OsString::from_vec(vec![0xff]));
    assert_eq!(Config::load(&sources).unwrap_err().to_string(), "WEFT_DATA_DIR: the value is not valid UTF-8");
}

#[test]
fn a_domains_mistake_names_its_source_but_not_its_value() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Own {
        batch: u32,
    }
    let read = |variable, value| {
        let config = Config::load(&environment(&[(variable, value)])).unwrap().config;
        config.domains.read::<Own>("orders").unwrap_err().to_string()
    };
    assert_eq!(read("WEFT_DOMAINS_ORDERS_BATCH", "hunter2"), "WEFT_DOMAINS_ORDERS_BATCH: the value is not u32");
    assert!(read("WEFT_DOMAINS_ORDERS_BACH", "1").contains("unknown field `bach`"));
    let nothing = Config::default().domains.read::<Own>("orders").unwrap_err().to_string();
    assert_eq!(nothing, "default: domains.orders: missing field `batch`");
}
