//! The configuration changes while a process runs: from its file, from secrets in files, and from Consul.

use std::sync::atomic::{AtomicBool, Ordering};

use weft_test_postgres::Guarded;

use crate::{
    discovery::{agent, eventually},
    given::{FREE_PORTS, Given, Started, address, http, weft, weft_in_parts},
};

const REFUSED: &str = "a new configuration was refused";

/// The domain `auth`, and where its admin port is.
fn serve(given: &Given, flags: &[&str]) -> (Started, String) {
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut process = given.start(&[&["serve", "auth"][..], &FREE_PORTS, flags].concat());
    let admin = address(&process.addresses(), "admin").to_owned();
    (process, admin)
}

fn shows(admin: &str, path: &str, line: &str) {
    eventually(|| http(admin, "GET", path, ""), |(status, text)| *status == 200 && text.lines().any(|found| found == line));
}

#[test]
fn a_file_that_changes_is_taken_and_one_with_a_mistake_is_refused_by_name() {
    let given = weft_in_parts().file("[log]\nlevel = \"info\"\n");
    let (mut process, admin) = serve(&given, &[]);
    shows(&admin, "/config", "# generation 1");
    shows(&admin, "/metrics", "weft_config_generation 1");

    given.write("weft.toml", "[log]\nlevel = \"error\"\n[mesh]\ndrain_timeout = \"3s\"\n[tuning]\nretry.attempts = 1\n");
    shows(&admin, "/config", "# generation 2");
    for line in [
        "# taken when the process starts again: mesh.drain_timeout",
        "log.level = \"error\"  # weft.toml:2; changes while the process runs",
        "mesh.drain_timeout = \"10s\"  # default",
        "tuning.retry.attempts = 1  # weft.toml:6; changes while the process runs",
    ] {
        shows(&admin, "/config", line);
    }
    let log = process.log_to("the configuration has changed");
    assert!(log.contains(r#""settings":"mesh.drain_timeout""#) && log.contains("when the process starts again"), "{log}");

    given.write("weft.toml", "[log]\nlevel = \"info\"\n[tuning]\nretry.attempts = 99\n");
    let refusal = "weft.toml:4: tuning.retry.attempts: the value must be at most 10";
    shows(&admin, "/config", &format!("# the newest was refused: {refusal}"));
    shows(&admin, "/metrics", "weft_config_reload_failures_total 1");
    assert!(process.log_to(REFUSED).contains(refusal));
    shows(&admin, "/config", "log.level = \"error\"  # weft.toml:2; changes while the process runs");
    shows(&admin, "/config", "# generation 2");

    given.write("weft.toml", "[limits]\nfactor = 2\n");
    shows(&admin, "/config", "# generation 3");
    assert!(!http(&admin, "GET", "/config", "").1.contains("was refused"));
    given.write("weft.toml", "");
    let log = process.log_to("the configuration has changed");
    assert_eq!(log.lines().count(), 1, "at level error the change before was not logged: {log}");
    assert!(log.contains(r#""generation":4"#), "{log}");
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

#[test]
fn a_caller_that_is_denied_is_refused_without_a_restart_and_taken_again() {
    let given = weft().file("");
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let [edge, admin] = ["edge", "admin"].map(|name| address(&addresses, name).to_owned());
    let register = |email: &str| {
        let body = format!(r#"{{"email": "{email}", "password": "correct horse"}}"#);
        http(&edge, "POST", "/api/v1/auth/register", &body).0
    };
    assert_eq!(register("ada@example.com"), 201);
    given.write("weft.toml", "[mesh]\ndeny = \"edge>auth/Register\"\n");
    shows(&admin, "/config", "# generation 2");
    assert_eq!(register("bob@example.com"), 403);
    given.write("weft.toml", "[mesh]\ndeny = \"egde>auth\"\n");
    let refusal = "weft.toml:2: mesh.deny: no contract of this binary knows the caller \"egde\"";
    shows(&admin, "/config", &format!("# the newest was refused: {refusal}"));
    assert_eq!(register("bob@example.com"), 403, "the rule before holds");
    given.write("weft.toml", "");
    shows(&admin, "/config", "# generation 3");
    assert_eq!(register("bob@example.com"), 201);
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

/// The text under a key in Consul.
fn put(agent: &weft_test_consul::Agent, key: &str, text: &str) {
    let consul = format!("127.0.0.1:{}", agent.http().unwrap().port().unwrap());
    let (status, body) = http(&consul, "PUT", &format!("/v1/kv/{key}"), text);
    assert_eq!((status, body.trim()), (200, "true"));
}

#[test]
fn settings_in_consul_win_over_the_file_and_stay_while_it_is_gone() {
    let (given, mut agent) = (weft_in_parts().file("[limits]\nfactor = 2\n"), agent());
    put(&agent, "weft/config", "[limits]\nfactor = 3\n");
    let consul = format!("consul.address={}", agent.http().unwrap());
    let (mut process, admin) = serve(&given, &["--set", &consul, "--set", "consul.config_key=weft/config"]);
    shows(&admin, "/config", "limits.factor = 3  # consul:weft/config:2; changes while the process runs");
    shows(&admin, "/config", "# generation 1");

    put(&agent, "weft/config", "\n[limits]\nfactor = 4\nfactors.auth = 5\n");
    shows(&admin, "/config", "limits.factor = 4  # consul:weft/config:3; changes while the process runs");
    shows(&admin, "/config", "limits.factors.auth = 5  # consul:weft/config:4; changes while the process runs");

    put(&agent, "weft/config", "[admin]\nport = 4\n");
    assert!(process.log_to(REFUSED).contains("consul:weft/config:2: admin.port cannot stand in Consul"));
    put(&agent, "weft/config", "[limits]\nfactors.atuh = 4\n");
    let refusal = "unknown setting \\\"limits.factors.atuh\\\" (did you mean \\\"limits.factors.auth\\\"?)";
    assert!(process.log_to(REFUSED).contains(refusal));

    // It comes back with its memory lost.
    agent.restart().unwrap();
    assert!(process.log_to(REFUSED).contains("the key has gone; what it held stays"));
    shows(&admin, "/config", "limits.factor = 4  # consul:weft/config:3; changes while the process runs");
    put(&agent, "weft/config", "");
    shows(&admin, "/config", "limits.factor = 2  # weft.toml:2; changes while the process runs");
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

#[test]
fn a_secret_is_read_again_when_its_file_changes_and_is_shown_nowhere() {
    let given = weft().variable("WEFT_LOG_LEVEL", "trace").variable("REDIS_URL", "redis://:hunter2@127.0.0.1:1/");
    given.write("token", "hunter2-first\n");
    let token = given.folder.path().join("token");
    let named = format!("consul.token_file={}", token.display());
    let (mut process, admin) = serve(&given, &["--set", &named]);
    given.write("token", "hunter2-second\n");
    let log = process.log_to("the configuration has changed");
    assert!(log.contains(r#""settings":"consul.token""#) && !log.contains("hunter2"), "{log}");
    let line = format!("consul.token = ***  # {}; changes while the process runs", token.display());
    shows(&admin, "/config", &line);
    given.write("token", "hunter2\n-broken");
    let log = process.log_to(REFUSED);
    assert!(log.contains("consul.token holds characters that no header may hold") && !log.contains("hunter2"), "{log}");
    std::fs::remove_file(token).unwrap();
    let log = process.log_to(REFUSED);
    assert!(log.contains("cannot be read") && !log.contains("hunter2"), "{log}");
    given.write("token", "hunter2-third\n");
    let log = process.log_to("the configuration has changed");
    for text in [log, http(&admin, "GET", "/config", "").1, http(&admin, "GET", "/health", "").1] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

/// Runs SQL as the server's superuser.
fn execute(server: &Guarded, text: &str) {
    let ran = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(server.execute(text));
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_database_password_is_rotated_in_its_file_without_a_failed_call() {
    let server = Guarded::start(None).unwrap_or_else(|error| panic!("{error}"));
    execute(&server, "CREATE ROLE app LOGIN PASSWORD 'hunter2-first'");
    let port = server.url().port().unwrap();
    let given = weft().variable("DATABASE_URL", &format!("postgres://app@localhost:{port}/postgres"));
    let given = given.variable("WEFT_DATABASE_MIGRATION_URL", server.url().as_str());
    given.write("password", "hunter2-first\n");
    let named = format!("database.password_file={}", given.folder.path().join("password").display());
    assert_eq!(given.run(&["migrate", "--set", &named]).code, Some(0));
    let mut process = given.start(&[&["up"][..], &FREE_PORTS, &["--set", &named]].concat());
    let addresses = process.addresses();
    let (edge, admin) = (address(&addresses, "edge").to_owned(), address(&addresses, "admin").to_owned());

    // Idle ones: of a commit whose connection breaks nobody knows whether it was made, and a call without a key may not be
    // made again then.
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle'";
    let is_over = AtomicBool::new(false);
    let statuses = std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let user = format!(r#"{{"email": "user{}@example.com", "password": "correct horse"}}"#, statuses.len());
                statuses.push(http(&edge, "POST", "/api/v1/auth/register", &user));
            }
            statuses
        });
        execute(&server, "ALTER ROLE app PASSWORD 'hunter2-second'");
        execute(&server, terminate);
        given.write("password", "hunter2-second\n");
        shows(&admin, "/config", "# generation 2");
        execute(&server, terminate);
        std::thread::sleep(std::time::Duration::from_secs(1));
        is_over.store(true, Ordering::Relaxed);
        calling.join().unwrap()
    });
    let failed: Vec<_> = statuses.iter().filter(|(status, _)| *status != 201).collect();
    assert!(failed.is_empty() && statuses.len() > 3, "of {}: {failed:?}", statuses.len());
    let log = process.log_to("the configuration has changed");
    assert!(log.contains(r#""settings":"database.password""#) && !log.contains("hunter2"), "{log}");
    assert!(!http(&admin, "GET", "/config", "").1.contains("hunter2"));
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

#[test]
fn a_secret_in_consul_is_there_before_the_process_starts_or_it_does_not_start() {
    let (given, agent) = (weft(), agent());
    let consul = format!("consul.address={}", agent.http().unwrap());
    let flags = ["config", "--set", &consul, "--set", "redis.url_consul_key=weft/redis"];
    let refused = given.run(&flags);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    let sentence = "--set redis.url_consul_key: Consul has no text under the key \"weft/redis\"";
    assert_eq!(refused.sentence(), sentence);
    put(&agent, "weft/redis", "redis://:hunter2@cache:6379/1");
    let shown = given.run(&flags);
    assert!(shown.stdout.contains("redis.url = \"redis://:***@cache:6379/1\"  # consul:weft/redis\n"), "{}", shown.stdout);
    drop(agent);
    let refused = given.run(&flags);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.sentence().starts_with("consul: the key \"weft/redis\" cannot be read: "), "{}", refused.stderr);
}
