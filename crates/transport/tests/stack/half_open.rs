//! Peers that are gone without a word: frozen, or behind a network that swallows what is sent.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};
use weft_call::{CallBuilder, Clock, Code, Deadline, Payload, Upstream};
use weft_transport::{Tuning, Upstreams};

use crate::given::{HOLD, Mesh, WATCH, WORK, once, until};

/// Two probes' time and some.
const NOTICED: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

/// Probes a silent peer soon.
fn alert() -> Tuning {
    let mut tuning = once();
    tuning.connections.keep_alive_interval = Duration::from_millis(200);
    tuning.connections.keep_alive_timeout = Duration::from_millis(300);
    tuning
}

/// A network between a caller and a domain that can swallow everything, with no end and no reset: what a pulled cable, a
/// dropped NAT entry or a firewall look like from both ends.
struct BlackHole {
    address: SocketAddr,
    is_dark: watch::Sender<bool>,
    /// Connections that came through.
    taken: Arc<AtomicUsize>,
}

impl BlackHole {
    async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (is_dark, dark) = watch::channel(false);
        let counted = Arc::clone(&taken);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(target).await.unwrap();
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near_read, far_write, dark.clone()));
                tokio::spawn(pass(far_read, near_write, dark.clone()));
            }
        });
        Self { address, is_dark, taken }
    }
}

/// Passes bytes on while it is light. A connection on which something was swallowed never works again, and never ends.
async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut dark: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let swallowed = tokio::select! {
            biased;
            swallows = async { dark.wait_for(|dark| *dark).await.is_ok() } => swallows,
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => to.write_all(&buffer[..length]).await.is_err(),
            },
        };
        if swallowed {
            // Both halves are kept open for ever.
            return std::future::pending().await;
        }
    }
}

fn call(time: Option<Duration>) -> weft_call::Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.deadline = time.map(Deadline::after);
    parts.build()
}

async fn ask(upstream: &Arc<dyn Upstream>, method: &'static weft_call::MethodContract, time: Duration) -> Result<(), Code> {
    let reply = upstream.call(&call(Some(time)), method, Payload::Message(Bytes::new())).await;
    reply.map(drop).map_err(|error| error.code())
}

#[tokio::test]
async fn a_caller_notices_a_network_that_swallows_everything_and_connects_anew_when_it_is_back() {
    let mut mesh = Mesh::start(Tuning::default(), once()).await;
    let hole = BlackHole::before(mesh.address).await;
    let upstreams: Upstreams = mesh.caller_of(hole.address, alert());
    let upstream = upstreams.upstream("orders").unwrap();
    assert_eq!(ask(&upstream, WORK, LONG).await, Ok(()));
    let reply = upstream.call(&call(None), WATCH, Payload::Message(Bytes::new())).await.unwrap();
    let Payload::Stream(mut stream) = reply.message else { panic!("a stream was asked for") };
    let _sender = mesh.opened.recv().await.unwrap();

    hole.is_dark.send(true).unwrap();
    let began = Instant::now();
    // Neither has a deadline near enough to end it: the probe does.
    let (call, item) = tokio::join!(ask(&upstream, HOLD, LONG), timeout(LONG, stream.next()));
    assert_eq!(call, Err(Code::Unavailable));
    assert_eq!(item.expect("the stream ends").unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
    // While it lasts a call costs no more than the handshake's time or its own.
    assert!(ask(&upstream, WORK, Duration::from_millis(300)).await.is_err());

    hole.is_dark.send(false).unwrap();
    let back = async { while ask(&upstream, WORK, Duration::from_secs(1)).await.is_err() {} };
    timeout(NOTICED, back).await.expect("a call gets through again");
    assert!(hole.taken.load(Ordering::SeqCst) >= 2, "on a connection of its own");
}

#[tokio::test]
async fn a_domain_lets_go_of_a_caller_that_is_gone_without_a_word() {
    let serving = Tuning { connections: alert().connections, ..Tuning::default() };
    let mut mesh = Mesh::start(serving, once()).await;
    let hole = BlackHole::before(mesh.address).await;
    let upstreams = mesh.caller_of(hole.address, once());
    let upstream = upstreams.upstream("orders").unwrap();
    let reply = upstream.call(&call(None), WATCH, Payload::Message(Bytes::new())).await.unwrap();
    let sender = mesh.opened.recv().await.unwrap();
    let held = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { ask(&upstream, HOLD, Duration::from_secs(8)).await }
    });
    until("the call begins", || mesh.handler.begun.load(Ordering::SeqCst) == 1).await;

    hole.is_dark.send(true).unwrap();
    timeout(NOTICED, sender.closed()).await.expect("the handler of the stream learns of it");
    let text = || mesh.metrics.render();
    let cut = "weft_calls_total{side=\"server\",domain=\"orders\",method=\"Watch\",code=\"CANCELLED\"} 1";
    until("the stream counts as cancelled", || text().contains(cut)).await;
    // The caller, which does not probe as soon, is told nothing: its own deadline ends the call.
    assert_eq!(held.await.unwrap(), Err(Code::DeadlineExceeded));
    drop(reply);
}

#[tokio::test]
async fn calls_to_a_peer_that_takes_connections_and_says_nothing_end_and_leave_none_behind() {
    let mesh = Mesh::start(Tuning::default(), once()).await;
    // Connections wait in its backlog: TCP stands, and nobody is there.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut hasty = alert();
    hasty.connections.handshake = Duration::from_millis(300);
    let upstreams = mesh.caller_of(mute.local_addr().unwrap(), hasty);
    let upstream = upstreams.upstream("orders").unwrap();
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(ask(&upstream, WORK, LONG).await, Err(Code::Unavailable));
    }
    assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
    // Each that was given up is closed.
    let (mut tcp, _) = mute.accept().await.unwrap();
    let mut sent = Vec::new();
    timeout(NOTICED, tcp.read_to_end(&mut sent)).await.expect("it is closed").unwrap();
    assert_eq!(sent.first(), Some(&22), "a TLS handshake was begun, and nothing in the clear");
}
