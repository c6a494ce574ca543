//! A start that cannot be made: one sentence that names what is wrong, and an exit code.

use std::net::TcpListener;

use weft_test_ports::free_port;

use crate::given::{FREE_PORTS, weft, weft_in_parts};

const USAGE: Option<i32> = Some(64);
const CONFIG: Option<i32> = Some(78);

#[test]
fn a_wrong_command_line_is_refused() {
    for (words, named) in [
        (&["upp"][..], "'upp'"),
        (&["up", "--fast"], "'--fast'"),
        (&["serve"], "<DOMAIN>"),
        (&["serve", "ordrs"], "no domain \"ordrs\" in this binary, which has auth, catalog, orders, events, edge"),
        (&["up", "--set", "edge.port"], "PATH=VALUE"),
    ] {
        let ended = weft().run(words);
        assert!(ended.code == USAGE && ended.sentence().contains(named), "{words:?}: {:?} {}", ended.code, ended.stderr);
    }
}

#[test]
fn a_wrong_setting_is_refused_wherever_it_stands() {
    let flag = |set: &str| weft().run(&["up", "--set", set]);
    let variable = |name, value| weft().variable(name, value).run(&["up"]);
    for (ended, named) in [
        (flag("edge.prt=1"), "--set edge.prt: unknown setting \"edge.prt\" (did you mean \"edge.port\"?)"),
        (flag("edge.port=many"), "--set edge.port: \"many\" is not a port (0-65535)"),
        (flag("mesh.ports.ordrs=1"), "unknown setting \"mesh.ports.ordrs\" (did you mean \"mesh.ports.orders\"?)"),
        (
            flag("mesh.upstreams.catlog=db:1"),
            "unknown setting \"mesh.upstreams.catlog\" (did you mean \"mesh.upstreams.catalog\"?)",
        ),
        (flag("domains.payments.limit=1"), "unknown setting \"domains.payments.limit\""),
        (flag("log.level=a=b=c"), "log.level: \"a=b=c\" is not a filter"),
        (variable("WEFT_EDGE_PROT", "1"), "WEFT_EDGE_PROT: no setting has this variable"),
        (variable("PORT", "-1"), "PORT: edge.port"),
        (weft().file("[edge]\nport = \"x\"\n").run(&["up"]), "weft.toml:2: edge.port: \"x\" is not a port"),
        (weft().file("[egde]\nport = 1\n").run(&["up"]), "weft.toml:1: unknown setting \"egde.port\""),
        (weft().file("[edge\n").run(&["up"]), "weft.toml:1"),
        (weft().run(&["up", "--config", "none.toml"]), "none.toml: the configuration file cannot be read"),
    ] {
        assert!(ended.code == CONFIG && ended.sentence().contains(named), "{named}: {:?} {}", ended.code, ended.stderr);
    }
}

#[test]
fn a_taken_port_is_named_with_the_setting_that_moves_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for setting in ["edge.port", "admin.port", "mesh.ports.orders"] {
        let moved = format!("{setting}={port}");
        let ended = weft().run(&[&["up"][..], &FREE_PORTS, &["--set", &moved]].concat());
        let named = [setting, &format!("127.0.0.1:{port}"), "in use"];
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(named.iter().all(|named| ended.sentence().contains(named)), "{setting}: {}", ended.stderr);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Permissions would not keep root out; a file in the way keeps out everyone.
    let ended = weft().file("data_dir = \"weft.toml/data\"\n").run(&[&["up"][..], &FREE_PORTS].concat());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.sentence().contains("weft.toml/data"), "{}", ended.stderr);
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let gone = format!("127.0.0.1:{}", free_port().unwrap());
    let url = format!("postgres://ada:hunter2@{gone}/shop");
    for words in [&["up"][..], &["serve", "catalog"], &["migrate"], &["migrate", "--check"]] {
        let ended = weft_in_parts().variable("DATABASE_URL", &url).run(&[words, &FREE_PORTS].concat());
        assert_eq!(ended.code, Some(1), "{words:?}: {}", ended.stderr);
        assert!(ended.sentence().contains(&gone) && !ended.stderr.contains("hunter2"), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn a_domain_that_is_called_must_be_here_or_be_found() {
    let ended = weft_in_parts().run(&["serve", "orders"]);
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.sentence().contains("orders calls catalog") && ended.sentence().contains("mesh.upstreams.catalog"));
}

#[test]
fn events_that_would_leave_the_process_need_a_carrier() {
    let ended = weft().run(&[&["serve", "auth"][..], &FREE_PORTS].concat());
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.sentence().contains("from auth to events") && ended.sentence().contains("set events.url"), "{}", ended.stderr);
}

#[test]
fn an_edge_that_reaches_nothing_or_no_issuer_of_tokens_is_refused() {
    for (set, named) in
        [("log.level=info", "the edge has nothing to serve"), ("mesh.upstreams.catalog=127.0.0.1:1", "set mesh.upstreams.auth")]
    {
        let ended = weft().run(&[&["serve", "edge", "--set", set][..], &FREE_PORTS].concat());
        assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
        assert!(ended.sentence().contains(named), "{}", ended.stderr);
    }
}
