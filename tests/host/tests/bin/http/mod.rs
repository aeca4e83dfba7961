//! Just enough HTTP for the stand-ins, a connection a request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub(crate) struct Message {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn call(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Message {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len()).unwrap();
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(b"\r\n").unwrap();
    stream.write_all(body).unwrap();
    read(&mut stream)
}

/// Posts a stream of so many chunks. Returns the status; 0 if there was none.
#[allow(dead_code, reason = "only the runtime streams")]
pub(crate) fn stream(host: &str, path: &str, chunk: &[u8], chunks: usize, trailers: &str) -> u16 {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut sent = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\
         lambda-runtime-function-response-mode: streaming\r\ntrailer: lambda-runtime-function-error-type\r\n\
         trailer: lambda-runtime-function-error-body\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..chunks {
        write!(sent, "{:x}\r\n", chunk.len()).unwrap();
        sent.extend_from_slice(chunk);
        sent.extend_from_slice(b"\r\n");
    }
    write!(sent, "0\r\n{trailers}").unwrap();
    stream.write_all(&sent).unwrap();
    read(&mut stream).status
}

/// Reads a message with a content length; a request has status 0.
pub(crate) fn read(stream: &mut TcpStream) -> Message {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message { status, headers, body: Vec::new() };
    let length = message.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    message.body.resize(length, 0);
    reader.read_exact(&mut message.body).unwrap();
    message
}
