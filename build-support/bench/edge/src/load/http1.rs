//! A client of HTTP/1.1 that costs little: it sends the same bytes over and over, and reads no more of an answer than tells
//! where it ends.

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// The bytes of an answer that came in chunks.
    body: Vec<u8>,
}

/// How long the body of an answer is.
enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(32 * 1024), body: Vec::new() })
    }

    /// Sends a request and gives the body of its answer, which must be 200.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        let (start, length) = self.begin(request).await?;
        match length {
            Length::Known(length) => {
                while self.buffer.len() < start + length {
                    self.read().await?;
                }
                Ok(&self.buffer[start..])
            }
            Length::Chunked => self.chunks(start).await,
        }
    }

    /// Sends a request; gives where the body of its answer begins, and how long it is.
    async fn begin(&mut self, request: &[u8]) -> anyhow::Result<(usize, Length)> {
        self.buffer.clear();
        self.socket.write_all(request).await?;
        let start = loop {
            self.read().await?;
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = &self.buffer[..start];
        if head.get(9..12) != Some(b"200") {
            bail!("the answer is {}", String::from_utf8_lossy(&self.buffer));
        }
        let head = std::str::from_utf8(head)?.to_ascii_lowercase();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        match value("content-length:") {
            Some(length) => Ok((start, Length::Known(length.parse()?))),
            None if value("transfer-encoding:") == Some("chunked") => Ok((start, Length::Chunked)),
            None => bail!("an answer without a length"),
        }
    }

    async fn chunks(&mut self, mut at: usize) -> anyhow::Result<&[u8]> {
        self.body.clear();
        loop {
            let line = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(end) => break at..at + end,
                    None => self.read().await?,
                }
            };
            let begin = line.end + 2;
            let length = usize::from_str_radix(std::str::from_utf8(&self.buffer[line])?, 16).context("the length of a chunk")?;
            while self.buffer.len() < begin + length + 2 {
                self.read().await?;
            }
            self.body.extend_from_slice(&self.buffer[begin..begin + length]);
            at = begin + length + 2;
            if length == 0 {
                return Ok(&self.body);
            }
        }
    }

    /// Begins a request whose answer does not end; gives as soon as its head has come.
    pub(crate) async fn listen(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let (start, _) = self.begin(request).await?;
        self.buffer.drain(..start);
        Ok(())
    }

    /// Waits until a message has come of an answer that does not end. Its bytes begin so.
    pub(crate) async fn hear(&mut self, message: &[u8]) -> anyhow::Result<()> {
        loop {
            if let Some(at) = find(&self.buffer, message) {
                self.buffer.drain(..at + message.len());
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let count = self.socket.read_buf(&mut self.buffer).await?;
        ensure!(count > 0, "the connection was closed amid an answer");
        Ok(())
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
