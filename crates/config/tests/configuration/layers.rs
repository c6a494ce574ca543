//! Which layer wins, and what a value becomes.

use std::path::Path;
use std::time::Duration;

use crate::given::{environment, file, flags};
use secrecy::ExposeSecret;
use serde::Deserialize;
use weft_config::{Config, LogFormat, Source, Sources, settings};

#[test]
fn the_defaults_are_those_of_the_table() {
    let config = Config::default();
    assert_eq!(config.data_dir, Path::new(".weft"));
    assert!(config.database.url.is_none());
    assert!(config.database.migration_url().is_none());
    assert_eq!(config.database.max_connections.get(), 16);
    assert_eq!(config.database.acquire_timeout, Duration::from_secs(5));
    assert_eq!(config.edge.listen().to_string(), "127.0.0.1:8080");
    assert_eq!(config.edge.max_body.bytes(), 4 * 1024 * 1024);
    assert_eq!(config.edge.max_header.bytes(), 64 * 1024);
    assert_eq!(config.admin.listen().to_string(), "127.0.0.1:9901");
    assert_eq!(config.mesh.trust_domain, "weft.local");
    assert_eq!(config.certificates(), Path::new(".weft/certificates"));
    assert_eq!(config.auth.refresh_token_ttl, Duration::from_hours(30 * 24));
    assert!(config.auth.max_parallel_hashes().get() >= 1);
    assert_eq!(config.log.format, LogFormat::Auto);
    assert!((config.otel.sample_ratio - 1.0).abs() < f64::EPSILON);
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let (_folder, mut sources) = file("[edge]\nport = 1\nheader_timeout = \"1s\"\ndrain_timeout = \"1s\"\n");
    sources.environment = environment(&[("WEFT_EDGE_PORT", "2"), ("WEFT_EDGE_HEADER_TIMEOUT", "2s")]).environment;
    sources.flags = flags(&[("edge.port", "4"), ("edge.port", "3")]).flags;
    let loaded = Config::load(&sources).unwrap();
    let edge = &loaded.config.edge;
    assert_eq!(edge.port, 3);
    assert_eq!(edge.header_timeout, Duration::from_secs(2));
    assert_eq!(edge.drain_timeout, Duration::from_secs(1));
    assert_eq!(edge.max_body.bytes(), 4 * 1024 * 1024);
    assert_eq!(loaded.sources["edge.port"], Source::Flag { setting: "edge.port".to_owned() });
    assert_eq!(loaded.sources["edge.max_body"], Source::Default);
    assert!(matches!(&loaded.sources["edge.drain_timeout"], Source::File { line: 4, .. }));
}

#[test]
fn weft_names_win_over_expected_names() {
    let both = environment(&[("PORT", "1"), ("WEFT_EDGE_PORT", "2"), ("RUST_LOG", "debug")]);
    let config = Config::load(&both).unwrap().config;
    assert_eq!(config.edge.port, 2);
    assert_eq!(config.log.level, "debug");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let loaded = Config::load(&environment(&[("WEFT_EDGE_PORT", ""), ("DATABASE_URL", "")])).unwrap();
    assert_eq!(loaded.config.edge.port, 8080);
    assert!(loaded.config.database.url.is_none());
}

#[test]
fn variables_that_steer_tests_are_ignored() {
    Config::load(&environment(&[("WEFT_TEST_POSTGRES", "x"), ("WEFT_SABOTAGE", "x"), ("HOME", "/root")])).unwrap();
}

#[test]
fn the_migration_address_defaults_to_the_database_address() {
    let url = "postgres://app:secret@db:5432/weft";
    let config = Config::load(&environment(&[("DATABASE_URL", url)])).unwrap().config;
    assert_eq!(config.database.migration_url().unwrap().expose_secret(), url);
    let other = "postgres://owner:secret@db/weft";
    let config = Config::load(&environment(&[("DATABASE_URL", url), ("WEFT_DATABASE_MIGRATION_URL", other)])).unwrap();
    assert_eq!(config.config.database.migration_url().unwrap().expose_secret(), other);
}

#[test]
fn tables_by_domain_are_merged_by_key() {
    let (_folder, mut sources) = file("[mesh.upstreams]\norders = \"a:1\"\ncatalog = \"b:1\"\n[mesh.ports]\nauth = 7\n");
    sources.environment = environment(&[("WEFT_MESH_UPSTREAMS_CATALOG", "[::1]:2")]).environment;
    sources.flags = flags(&[("mesh.ports.orders", "9")]).flags;
    let mesh = Config::load(&sources).unwrap().config.mesh;
    assert_eq!(mesh.upstreams["orders"].to_string(), "a:1");
    assert_eq!(mesh.upstreams["catalog"].to_string(), "[::1]:2");
    assert_eq!(mesh.ports["auth"], 7);
    assert_eq!(mesh.ports["orders"], 9);
}

#[test]
fn a_consul_address_may_lack_its_scheme() {
    let config = Config::load(&environment(&[("CONSUL_HTTP_ADDR", "127.0.0.1:8500")])).unwrap().config;
    assert_eq!(config.consul.address.unwrap().as_str(), "http://127.0.0.1:8500/");
}

#[test]
fn consul_tags_are_separated_by_commas_and_an_advertised_address_needs_no_brackets() {
    let given = environment(&[("WEFT_CONSUL_TAGS", "blue, canary"), ("WEFT_CONSUL_ADVERTISE", "fd00::7")]);
    let consul = Config::load(&given).unwrap().config.consul;
    assert_eq!(consul.tags, ["blue", "canary"]);
    assert_eq!(consul.advertise.as_deref(), Some("fd00::7"));
}

#[test]
fn the_variable_weft_config_names_the_file() {
    let (_folder, sources) = file("[edge]\nport = 5\n");
    let path = sources.directory.unwrap().join("weft.toml");
    let config = Config::load(&environment(&[("WEFT_CONFIG", path.to_str().unwrap())])).unwrap().config;
    assert_eq!(config.edge.port, 5);
}

#[test]
fn no_file_is_read_unless_a_folder_is_given() {
    assert!(Config::load(&Sources::default()).unwrap().sources.values().all(|source| *source == Source::Default));
}

#[test]
fn a_domain_reads_its_own_table() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        expire_after: String,
        batch: u32,
        #[serde(default)]
        dry: bool,
    }
    let (_folder, mut sources) = file("[domains.orders]\nexpire_after = \"5m\"\nbatch = 1\n");
    sources.environment =
        environment(&[("WEFT_DOMAINS_ORDERS_EXPIRE_AFTER", "30m"), ("WEFT_DOMAINS_ORDERS_BATCH", "7")]).environment;
    sources.flags = flags(&[("domains.orders.dry", "true")]).flags;
    let own: Own = Config::load(&sources).unwrap().config.domains.read("orders").unwrap();
    assert_eq!((own.expire_after.as_str(), own.batch, own.dry), ("30m", 7, true));
}

#[test]
fn every_setting_has_documentation_and_a_variable_of_its_own() {
    let mut variables: Vec<_> = settings().map(weft_config::Setting::variable).collect();
    assert!(settings().all(|setting| !setting.about.is_empty() && !setting.expected.is_empty()));
    let count = variables.len();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), count);
}

#[test]
fn the_env_example_in_the_repository_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == weft_config::env_example(), "run: cargo run -p weft-config --example env_example > .env.example");
}
