//! What health checks are told.

use weft_test_ports::free_port;

use crate::given::{FREE_PORTS, address, http, weft};

#[test]
fn a_process_and_an_edge_are_ready_until_they_drain() {
    let given = weft();
    let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let (edge, admin) = (address(&addresses, "edge"), address(&addresses, "admin"));
    let port = format!("admin.port={}", admin.rsplit_once(':').unwrap().1);
    let own = ["probe", "--set", &port];
    let edge = format!("http://{edge}");
    let of_edge = ["probe", "--edge", &edge];

    assert_eq!(given.run(&own).code, Some(0));
    let serves = (0..100).any(|_| given.run(&of_edge).code == Some(0));
    assert!(serves, "{}", given.run(&of_edge).stderr);

    assert_eq!(http(admin, "POST", "/drain", "").0, 202);
    let drained = (0..500).find_map(|_| {
        let ended = given.run(&own);
        (ended.code == Some(1)).then_some(ended)
    });
    assert!(drained.unwrap().sentence().contains("is not ready (503"));
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

#[test]
fn where_nobody_is_the_address_is_told() {
    let free = free_port().unwrap();
    let port = format!("admin.port={free}");
    let free = format!("127.0.0.1:{free}");
    let ended = weft().run(&["probe", "--set", &port]);
    assert!(ended.code == Some(1) && ended.sentence().contains(&free), "{}", ended.stderr);
    let ended = weft().run(&["probe", "--edge", &format!("http://{free}")]);
    assert!(ended.code == Some(1) && ended.sentence().contains(&format!("http://{free}")), "{}", ended.stderr);
}
