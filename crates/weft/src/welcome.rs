//! What `weft up` says when everything runs: what listens where, and what to try first.

use std::{io::Write, net::SocketAddr};

use weft_mesh::Running;

use crate::{
    failure::Failure,
    routes::{Form, table},
};

/// The path of the method that opens an account.
const REGISTER: &str = "/weft.auth.v1.Auth/Register";

pub(crate) fn show(
    running: &Running,
    edge: Option<&weft_edge::Running>,
    program: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut rows = table(Form::of_stdout(false), &["NAME", "ADDRESS", "SPEAKS"]);
    for (domain, address) in running.addresses() {
        rows.add_row([(*domain).to_owned(), reached(*address), "gRPC over mutual TLS, for domains".to_owned()]);
    }
    let scheme = if edge.is_some_and(|edge| edge.is_tls) { "https" } else { "http" };
    let edge = edge.map(|edge| format!("{scheme}://{}", reached(edge.local_addr)));
    if let Some(address) = &edge {
        rows.add_row(["edge".to_owned(), address.clone(), "REST and gRPC, for users".to_owned()]);
    }
    let admin = running.admin().map(reached);
    if let Some(address) = &admin {
        rows.add_row([
            "admin".to_owned(),
            format!("http://{address}"),
            "/ready /live /health /metrics /routes /upstreams /config /log /drain".to_owned(),
        ]);
    }
    let mut tries = Vec::new();
    tries.extend(edge.as_deref().zip(admin.as_deref()).map(|(edge, admin)| first_call(running, edge, admin)));
    tries.extend(edge.as_deref().and_then(|edge| edge.split_once("://")).map(|(scheme, address)| {
        let plaintext = if scheme == "http" { "-plaintext " } else { "" };
        format!("grpcurl {plaintext}{address} list")
    }));
    tries.push(format!("{program} routes"));
    let text = format!("{}\n\nTry:\n  {}", rows.trim_fmt(), tries.join("\n  "));
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Opens an account where there are any, and otherwise asks how the process is.
fn first_call(running: &Running, edge: &str, admin: &str) -> String {
    let methods = running.contracts().iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
    let register = methods.into_iter().find(|method| method.path == REGISTER).and_then(|method| method.http.first());
    match register {
        Some(route) => {
            let body = r#"{"email": "ada@example.com", "password": "correct horse"}"#;
            format!("curl --json '{body}' {edge}{}", route.template)
        }
        None => format!("curl http://{admin}/health"),
    }
}

/// An address as a client on this machine writes it: one that stands for all of them is reached on
/// this one.
fn reached(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_every_interface_is_shown_as_one_that_can_be_called() {
        assert_eq!(reached(([0, 0, 0, 0], 8080).into()), "localhost:8080");
        assert_eq!(reached(([127, 0, 0, 1], 8080).into()), "127.0.0.1:8080");
    }
}
