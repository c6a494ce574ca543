//! What the others do. Each attack goes on for a time, with short pauses: on one machine it shares the cores with whom it
//! attacks, and is to use up what the edge has, not what the machine has.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    time::Instant,
};

use crate::bytes::said;

type Attack = fn(SocketAddr, Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// All of them, by name.
pub(crate) const ALL: [(&str, Attack); 7] = [
    ("3,000 slow sockets", |edge, time| Box::pin(slow_sockets(edge, time))),
    ("header bombs", |edge, time| Box::pin(header_bombs(edge, time))),
    ("JSON bombs", |edge, time| Box::pin(json_bombs(edge, time))),
    ("compression bombs", |edge, time| Box::pin(compression_bombs(edge, time))),
    ("HTTP/2 rapid reset", |edge, time| Box::pin(rapid_reset(edge, time))),
    ("a CONTINUATION flood", |edge, time| Box::pin(continuation_flood(edge, time))),
    ("answers that nobody takes", |edge, time| Box::pin(takes_nothing(edge, time))),
];

/// They have a thread of their own: elsewhere they are other machines, and must not hold up the edge by their own work.
pub(crate) struct Attackers(Option<Runtime>);

impl Attackers {
    pub(crate) fn begin() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(Some(builder.worker_threads(1).thread_name("attackers").enable_all().build().unwrap()))
    }

    /// Lets an attack go on for its time; it fails the test if it does not go as it should.
    pub(crate) async fn run(&self, attack: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.as_ref().unwrap().spawn(attack).await.unwrap();
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Where others run nobody may wait for its end.
            runtime.shutdown_background();
        }
    }
}

const PAUSE: Duration = Duration::from_millis(10);
const SLOW: usize = 3000;

fn until(time: Duration) -> impl Fn() -> bool {
    let end = Instant::now() + time;
    move || Instant::now() < end
}

/// Sends a header a byte a second, over as many connections as an edge is allowed to have from a few addresses.
async fn slow_sockets(edge: SocketAddr, time: Duration) {
    let goes_on = until(time);
    let mut sockets = Vec::new();
    for count in 0..SLOW {
        let socket = TcpSocket::new_v4().unwrap();
        let from = Ipv4Addr::new(127, 0, 1, u8::try_from(count * 5 / SLOW).unwrap() + 1);
        socket.bind((from, 0).into()).unwrap();
        sockets.push(socket.connect(edge).await.expect("3,000 sockets: is `ulimit -n` large enough?"));
        if count % 10 == 0 {
            tokio::time::sleep(PAUSE / 2).await;
        }
    }
    while goes_on() {
        for socket in &mut sockets {
            // Those that were cut off are.
            let _ = socket.try_write(b"G");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn header_bombs(edge: SocketAddr, time: Duration) {
    let goes_on = until(time);
    let many = "x-many: 1\r\n".repeat(20_000);
    let large = format!("x-large: {}\r\n", "x".repeat(1 << 20));
    while goes_on() {
        for fields in [&many, &large] {
            let request = format!("GET /v1/notes/7 HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
            let answer = said(edge, request.as_bytes()).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn post(edge: SocketAddr, fields: &str, body: &[u8]) -> String {
    let mut request = format!(
        "POST /v1/notes:fail HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    said(edge, &request).await
}

async fn json_bombs(edge: SocketAddr, time: Duration) {
    const SIZE: usize = 3 << 20;
    let goes_on = until(time);
    let bombs = [
        "[".repeat(SIZE),
        "{\"failure\":".repeat(SIZE / 11),
        format!("{{{}\"z\":1}}", "\"a\":1,".repeat(SIZE / 6)),
        format!("{{\"failure\": {}}}", "9".repeat(SIZE)),
        "{\"failure\": 1e999999999}".to_owned(),
        format!("{{\"failure\": \"{}\"}}", "\\u0061".repeat(SIZE / 6)),
    ];
    while goes_on() {
        for bomb in &bombs {
            let answer = post(edge, "", bomb.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn compression_bombs(edge: SocketAddr, time: Duration) {
    let goes_on = until(time);
    let plain = vec![b' '; 64 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let bombs = [("gzip", gzip.finish().unwrap()), ("zstd", zstd::stream::encode_all(&plain[..], 1).unwrap())];
    drop(plain);
    while goes_on() {
        for (name, bomb) in &bombs {
            let answer = post(edge, &format!("content-encoding: {name}\r\n"), bomb).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{name}: {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET` of a path (RFC 7541): three fields of the static table, two with values of their own.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'x']);
    block
}

async fn http_2(edge: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(edge).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    stream
}

/// Reads what there is, and says whether the edge has closed the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match tokio::time::timeout(Duration::from_millis(1), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

/// CVE-2023-44487: each request is taken back as soon as it is made.
async fn rapid_reset(edge: SocketAddr, time: Duration) {
    const BATCH: u32 = 50;
    let goes_on = until(time);
    while goes_on() {
        let (mut stream, mut id) = (http_2(edge).await, 1);
        loop {
            let mut batch = Vec::new();
            for _ in 0..BATCH {
                batch.extend(frame(1, 0x5, id, &get("/v1/notes:hang")));
                batch.extend(frame(3, 0, id, &8_u32.to_be_bytes()));
                id += 2;
            }
            if stream.write_all(&batch).await.is_err() || is_closed(&mut stream).await {
                break;
            }
            assert!(id < 20_000, "nobody ends a connection that takes everything back");
            tokio::time::sleep(PAUSE * 2).await;
        }
    }
}

/// A header that never ends.
async fn continuation_flood(edge: SocketAddr, time: Duration) {
    let goes_on = until(time);
    while goes_on() {
        let mut stream = http_2(edge).await;
        stream.write_all(&frame(1, 0x1, 1, &get("/v1/notes/7"))).await.unwrap();
        // Literal fields that fill a frame: a name of one byte, a value of a hundred.
        let field: Vec<u8> = [0x00, 1, b'a', 100].into_iter().chain([b'x'; 100]).collect();
        let more = frame(9, 0, 1, &field.repeat(150));
        let mut sent = 0;
        while stream.write_all(&more).await.is_ok() && !is_closed(&mut stream).await {
            sent += more.len();
            assert!(sent < 8 << 20, "nobody ends a header that has no end");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks for what is large, and takes nothing of it.
async fn takes_nothing(edge: SocketAddr, time: Duration) {
    let goes_on = until(time);
    let mut streams = Vec::new();
    while goes_on() {
        if streams.len() < 100 {
            let mut stream = TcpStream::connect(edge).await.unwrap();
            let request = "GET /v1/files:download?size=1000000000 HTTP/1.1\r\nhost: x\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            streams.push(stream);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
