//! `top` beside domains that run.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::Duration,
};

use crate::given::{FREE_PORTS, address, http, weft};

/// The cells of a domain's row in the last table.
fn row<'a>(text: &'a str, domain: &str) -> Vec<&'a str> {
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut found: Vec<_> = rows.filter(|cells| cells.first() == Some(&domain)).collect();
    found.pop().unwrap_or_else(|| panic!("no row of {domain}: {text}"))
}

#[test]
fn calls_between_two_readings_are_in_the_table() {
    let given = weft();
    let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let (edge, admin) = (address(&addresses, "edge"), format!("http://{}", address(&addresses, "admin")));
    let done = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                let account = format!(r#"{{"email": "ada{number}@example.com", "password": "analytical engine"}}"#);
                http(edge, "POST", "/api/v1/auth/register", &account);
                sleep(Duration::from_millis(100));
            }
        });
        let ended = given.run(&["top", "--every", "1", "--count", "2", "--admin", &admin, "--admin", "http://127.0.0.1:1"]);
        done.store(true, Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.matches("CERTIFICATE").count(), 2, "one table after the other: {}", ended.stdout);
    assert!(!ended.stdout.contains('\x1b'), "no orders to a terminal in a pipe: {}", ended.stdout);
    assert!(ended.stdout.contains("1 of 2 processes answer"), "{}", ended.stdout);
    assert!(ended.stdout.contains("http://127.0.0.1:1/metrics cannot be reached"), "{}", ended.stdout);
    for domain in ["auth", "edge"] {
        let cells = row(&ended.stdout, domain);
        let rate: f64 = cells[1].parse().unwrap();
        assert!(rate > 0.5, "{domain} is called: {}", ended.stdout);
        assert_eq!(cells[2..4], ["0.00", "%"], "{}", ended.stdout);
        assert!(cells[5].ends_with('s'), "{domain} has delays: {}", ended.stdout);
    }
    assert_ne!(*row(&ended.stdout, "orders").last().unwrap(), "-", "its certificate ends some day: {}", ended.stdout);
    process.stop("-TERM");
}

#[test]
fn nobody_who_tells_is_a_failure() {
    let ended = weft().run(&["top", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.sentence().starts_with("no process tells what it does: start one, or name its admin port by --admin"));
}
