//! Secrets in files and under keys in Consul.

use std::fs;

use secrecy::ExposeSecret;
use weft_config::{Config, Source, Sources};

use crate::given::{consul, environment, file, flags};

fn refusal(sources: &Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

#[test]
fn a_secret_in_a_file_is_read_without_the_line_break_at_its_end_and_watched() {
    let (folder, _) = file("");
    let path = folder.path().join("token");
    fs::write(&path, "hunter2\n").unwrap();
    let loaded = Config::load(&environment(&[("CONSUL_HTTP_TOKEN_FILE", path.to_str().unwrap())])).unwrap();
    assert_eq!(loaded.config.consul.token.as_ref().unwrap().expose_secret(), "hunter2");
    assert_eq!(loaded.sources["consul.token"], Source::SecretFile { path: path.clone() });
    assert_eq!(loaded.files, [path]);
    assert!(!loaded.render().contains("hunter2") && !format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn the_password_of_the_database_is_put_into_its_address() {
    let url = ("DATABASE_URL", "postgres://app:old@db/weft");
    let loaded = Config::load(&environment(&[url, ("WEFT_DATABASE_PASSWORD", "p@ss/word")])).unwrap();
    assert_eq!(loaded.config.database.url.as_ref().unwrap().expose_secret(), "postgres://app:p%40ss%2Fword@db/weft");
    assert!(!format!("{loaded:?}{}", loaded.render()).contains("ss/word"));
    let replica = ("WEFT_DATABASE_REPLICA_URL", "postgres://app@standby/weft");
    let loaded = Config::load(&environment(&[url, replica, ("WEFT_DATABASE_PASSWORD", "new")])).unwrap();
    assert_eq!(loaded.config.database.replica_url.as_ref().unwrap().expose_secret(), "postgres://app:new@standby/weft");
    let nowhere = refusal(&environment(&[("DATABASE_URL", "postgres:///weft"), ("WEFT_DATABASE_PASSWORD", "hunter2")]));
    assert!(nowhere.starts_with("DATABASE_URL: database.url: the value is not a PostgreSQL address"), "{nowhere}");
}

#[test]
fn a_secret_in_consul_is_asked_for_by_its_key() {
    let sources = flags(&[("database.url_consul_key", "weft/db"), ("consul.config_key", "weft/config")]);
    let without = refusal(&sources);
    assert_eq!(without, "--set consul.config_key: a key in Consul needs consul.address");
    let sources = consul(sources, &[]);
    let keys = Config::consul_keys(&sources).unwrap().unwrap();
    assert_eq!((keys.settings.as_deref(), keys.secrets), (Some("weft/config"), vec!["weft/db".to_owned()]));
    assert_eq!(refusal(&sources), "--set database.url_consul_key: Consul has no text under the key \"weft/db\"");
    let loaded = Config::load(&consul(sources, &[("weft/db", "postgres://app:hunter2@db/weft")])).unwrap();
    assert_eq!(loaded.config.database.url.as_ref().unwrap().expose_secret(), "postgres://app:hunter2@db/weft");
    let text = loaded.render();
    assert!(text.contains("database.url = \"postgres://app:***@db/weft\"  # consul:weft/db; "), "{text}");
    assert!(Config::consul_keys(&environment(&[])).unwrap().is_none());
}

#[test]
fn a_secret_and_its_place_in_one_source_are_refused_and_of_two_sources_the_later_wins() {
    let (folder, mut sources) = file("[redis]\nurl = \"redis://a\"\nurl_file = \"b\"\n");
    let twice = refusal(&sources);
    assert!(twice.ends_with("weft.toml:3: redis.url_file says the same as redis.url: set one of them"), "{twice}");
    fs::write(folder.path().join("weft.toml"), "[redis]\nurl_file = \"/nonexistent/secret\"\n").unwrap();
    assert!(refusal(&sources).contains("redis.url_file: the file /nonexistent/secret cannot be read: "));
    sources.environment = environment(&[("REDIS_URL", "redis://c")]).environment;
    let loaded = Config::load(&sources).unwrap();
    assert_eq!(loaded.config.redis.url.as_ref().unwrap().expose_secret(), "redis://c");
    assert!(!loaded.sources.contains_key("redis.url_file"));
}

#[test]
fn a_secret_in_a_file_that_does_not_fit_is_refused_without_being_shown() {
    let (folder, _) = file("");
    let path = folder.path().join("url");
    fs::write(&path, "mysql://app:hunter2@db/weft").unwrap();
    let told = refusal(&environment(&[("WEFT_DATABASE_URL_FILE", path.to_str().unwrap())]));
    let expected = format!("{}: database.url: the value is not a PostgreSQL address", path.display());
    assert!(told.starts_with(&expected) && !told.contains("hunter2"), "{told}");
}
