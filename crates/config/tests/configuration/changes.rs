//! From the configuration that runs to a new one.

use weft_config::{Changes, Config, Loaded, Source, settings};

use crate::given::{consul, environment, file, flags};

fn load(variables: &[(&str, &str)]) -> Loaded {
    Config::load(&environment(variables)).unwrap()
}

#[test]
fn what_changes_while_a_process_runs_is_taken_and_the_rest_is_named() {
    let now = load(&[("WEFT_LOG_LEVEL", "info"), ("WEFT_EDGE_PORT", "1"), ("WEFT_LIMITS_FACTORS_ORDERS", "2")]);
    let new = load(&[("WEFT_LOG_LEVEL", "debug"), ("WEFT_EDGE_PORT", "2"), ("WEFT_LIMITS_FACTOR", "0.5")]);
    let changed = now.change_to(&new).unwrap();
    assert_eq!(changed.taken, ["limits.factor", "limits.factors.orders", "log.level"]);
    assert_eq!(changed.at_restart, ["edge.port"]);
    let config = &changed.loaded.config;
    assert_eq!((config.log.level.as_str(), config.edge.port), ("debug", 1));
    assert!((config.limits.of("orders") - 0.5).abs() < f64::EPSILON);
    assert_eq!(changed.loaded.sources["log.level"], Source::Environment { variable: "WEFT_LOG_LEVEL".to_owned() });

    let again = changed.loaded.change_to(&new).unwrap();
    assert_eq!((again.taken.len(), again.at_restart), (0, vec!["edge.port".to_owned()]));
}

#[test]
fn of_the_databases_address_only_the_credentials_change_while_a_process_runs() {
    let now = load(&[("DATABASE_URL", "postgres://app:old@db:5432/weft?sslmode=require")]);
    let rotated = load(&[("DATABASE_URL", "postgres://other:new@db:5432/weft?sslmode=require")]);
    assert_eq!(now.change_to(&rotated).unwrap().taken, ["database.url"]);
    for elsewhere in ["postgres://app:old@db2:5432/weft?sslmode=require", "postgres://app:old@db:5432/weft", ""] {
        let changed = now.change_to(&load(&[("DATABASE_URL", elsewhere)])).unwrap();
        assert_eq!((changed.taken.len(), changed.at_restart), (0, vec!["database.url".to_owned()]), "{elsewhere}");
    }
}

#[test]
fn the_text_in_consul_wins_over_the_file_and_variables_over_both() {
    let (_folder, mut sources) = file("[log]\nlevel = \"warn\"\n[limits]\nfactor = 2\n[consul]\nconfig_key = \"weft/config\"\n");
    let text = "[log]\nlevel = \"debug\"\n[limits]\nfactor = 3\nfactors.orders = 4\n";
    sources.flags = flags(&[("limits.factor", "5")]).flags;
    let loaded = Config::load(&consul(sources.clone(), &[("weft/config", text)])).unwrap();
    assert_eq!(loaded.config.log.level, "debug");
    let factors = ["orders", "auth"].map(|domain| loaded.config.limits.of(domain).to_string());
    assert_eq!(factors, ["4", "5"]);
    assert_eq!(loaded.sources["log.level"], Source::Consul { key: "weft/config".to_owned(), line: 2 });
    let without = Config::load(&consul(sources, &[])).unwrap();
    assert_eq!(without.config.log.level, "warn", "nothing under the key is no mistake");
}

#[test]
fn the_text_in_consul_holds_what_may_change_and_no_secret() {
    let refusal = |text: &str| {
        let sources = consul(flags(&[("consul.config_key", "weft/config")]), &[("weft/config", text)]);
        Config::load(&sources).unwrap_err().to_string()
    };
    let rule = "cannot stand in Consul: only settings that change while a process runs can, and no secrets";
    assert_eq!(refusal("[edge]\nport = 1\n"), format!("consul:weft/config:2: edge.port {rule}"));
    assert_eq!(refusal("[database]\npassword = \"x\"\n"), format!("consul:weft/config:2: database.password {rule}"));
    assert_eq!(refusal("[limits]\nfactor = 0\n"), "consul:weft/config:2: limits.factor: 0 is not a number from 0.01 to 100");
    assert_eq!(
        refusal("[log]\nlevle = \"x\"\n"),
        "consul:weft/config:2: unknown setting \"log.levle\" (did you mean \"log.level\"?)"
    );
    assert!(refusal("[log\n").starts_with("consul:weft/config:1: "));
}

#[test]
fn a_setting_says_itself_whether_it_changes() {
    let of = |path: &str| settings().find(|setting| setting.path == path).map(|setting| setting.changes);
    assert_eq!(of("log.level"), Some(Changes::Running));
    assert_eq!(of("database.url"), Some(Changes::CredentialsRunning));
    assert_eq!(of("edge.port"), Some(Changes::AtStart));
    let told = load(&[]).render();
    assert!(told.contains("log.level = \"info\"  # default; changes while the process runs\n"), "{told}");
    assert!(told.contains("edge.port = 8080  # default\n"), "{told}");
}
