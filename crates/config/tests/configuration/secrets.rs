//! No secret is shown: not by `Debug`, not by the rendered configuration, not by an error.

use crate::given::{environment, refusal_of_file, refusal_of_variable};
use secrecy::ExposeSecret;
use weft_config::Config;

const SECRET: &str = "hunter2";

#[test]
fn debug_and_render_hide_secrets() {
    let loaded = Config::load(&environment(&[
        ("DATABASE_URL", "postgres://app:hunter2@db:5433/weft?options=hunter2"),
        ("WEFT_DATABASE_MIGRATION_URL", "postgres://hunter2@db/weft"),
        ("REDIS_URL", "redis://:hunter2@cache/1"),
        ("WEFT_EVENTS_URL", "nats://hunter2@one:4222,nats://app:hunter2@two,nats://three"),
        ("CONSUL_HTTP_TOKEN", "hunter2"),
        ("WEFT_DOMAINS_PAYMENTS_KEY", "hunter2"),
    ]))
    .unwrap();
    let debug = format!("{loaded:?} {:?}", loaded.config);
    assert!(!debug.contains(SECRET), "{debug}");
    let text = loaded.render();
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("database.url = \"postgres://app:***@db:5433/weft?***\"  # DATABASE_URL; changes in user and password while the process runs\n"), "{text}");
    assert!(text.contains("database.migration_url = \"postgres://***@db/weft\"  # WEFT_DATABASE_MIGRATION_URL\n"));
    assert!(text.contains("redis.url = \"redis://:***@cache/1\"  # REDIS_URL\n"), "{text}");
    assert!(text.contains("events.url = \"nats://***@one:4222,nats://app:***@two,nats://three\"  # WEFT_EVENTS_URL\n"), "{text}");
    assert!(text.contains("consul.token = ***  # CONSUL_HTTP_TOKEN; changes while the process runs\n"), "{text}");
    assert!(text.contains("domains.payments.key = ***  # WEFT_DOMAINS_PAYMENTS_KEY\n"), "{text}");
    assert!(text.contains("edge.port = 8080  # default\n"), "{text}");
    assert!(text.contains("# consul.address is not set: discovery in process\n"), "{text}");
}

#[test]
fn an_error_about_a_secret_does_not_hold_it() {
    let refusal = refusal_of_variable("DATABASE_URL", "mysql://app:hunter2@db/weft");
    assert_eq!(
        refusal,
        "DATABASE_URL: database.url: the value is not a PostgreSQL address \
         (postgres://user:password@host:port/database)"
    );
    assert!(!refusal_of_file("[redis]\nurl = \"hunter2\"\n").contains(SECRET));
}

#[test]
fn redis_is_one_server_or_several_that_take_over_from_each_other() {
    for good in [
        "rediss://:a@cache:6380/1",
        "redis+sentinel://app:a@one:26379/orders/1?node=two:26379",
        "rediss+cluster://:a@one:7000?node=two:7000",
    ] {
        let loaded = Config::load(&environment(&[("WEFT_REDIS_URL", good)])).unwrap();
        assert_eq!(loaded.config.redis.url.as_ref().map(ExposeSecret::expose_secret), Some(good));
        assert!(!format!("{:?}", loaded.config.redis).contains("a@"), "a secret is shown");
    }
    for bad in ["redis+other://hunter2@one", "redis+cluster://", "redis+sentinel:one"] {
        let refusal = refusal_of_variable("WEFT_REDIS_URL", bad);
        assert!(refusal.contains("the value is not an address of Redis") && !refusal.contains(SECRET), "{bad}: {refusal}");
    }
}

#[test]
fn a_carrier_of_events_is_named_by_addresses_of_one_kind() {
    for good in [
        "redis://cache",
        "rediss://:a%2Cb@cache:6380/1",
        "amqps://mq/mesh",
        "nats://a:4222,nats://b:4222",
        "kafka://a,kafka://b:1",
    ] {
        let loaded = Config::load(&environment(&[("WEFT_EVENTS_URL", good)])).unwrap();
        assert_eq!(loaded.config.events.url.as_ref().map(ExposeSecret::expose_secret), Some(good));
    }
    for bad in
        ["hunter2", "http://hunter2@x", "nats://", "amqp://a,amqp://b", "nats://hunter2@a,kafka://b", "kafka://a,", "kafka://a,b"]
    {
        let refusal = refusal_of_variable("WEFT_EVENTS_URL", bad);
        assert!(refusal.starts_with("WEFT_EVENTS_URL: the value is not the address of a carrier"), "{bad}: {refusal}");
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
    for bad in ["Weft", "a.b", "a b"] {
        assert!(refusal_of_variable("WEFT_EVENTS_NAMESPACE", bad).contains("a name of at most 63"), "{bad}");
    }
}

#[test]
fn an_address_that_should_hold_no_password_is_refused_without_showing_it() {
    for value in ["http://app:hunter2@collector:4317", "http//app:hunter2@collector:4317", "http://x/?key=hunter2&@"] {
        let refusal = refusal_of_variable("OTEL_EXPORTER_OTLP_ENDPOINT", value);
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
}
