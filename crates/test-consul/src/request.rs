//! Requests of tests to the agent.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::TestConsulError;

/// Longer than the agent takes for anything that tests ask.
const LIMIT: Duration = Duration::from_secs(10);

/// The body of what the agent at `port` answers, if it does what it is asked.
pub(crate) fn ask(port: u16, token: Option<&str>, method: &str, path: &str, body: &str) -> Result<String, TestConsulError> {
    let answer = exchange(port, token, method, path, body).map_err(TestConsulError::Ask)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.to_owned()),
        _ => Err(TestConsulError::Refused { asked: format!("{method} {path}"), answer }),
    }
}

fn exchange(port: u16, token: Option<&str>, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut agent = TcpStream::connect(("127.0.0.1", port))?;
    agent.set_read_timeout(Some(LIMIT))?;
    let token = token.map(|token| format!("x-consul-token: {token}\r\n")).unwrap_or_default();
    write!(agent, "{method} {path} HTTP/1.0\r\n{token}content-length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    agent.read_to_string(&mut answer)?;
    Ok(answer)
}
