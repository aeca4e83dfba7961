//! An extension that does nothing: it registers and asks for events, without a library. Nobody's can be less.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let program = env::current_exe()?;
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut lambda = BufReader::new(TcpStream::connect(&api)?);
    let body = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
    let register = format!(
        "POST /2020-01-01/extension/register HTTP/1.1\r\nhost: {api}\r\nlambda-extension-name: {name}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (id, _) = ask(&mut lambda, &register)?;
    let next = format!(
        "GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: {api}\r\nlambda-extension-identifier: {id}\r\n\r\n"
    );
    while !ask(&mut lambda, &next)?.1.contains("\"SHUTDOWN\"") {}
    Ok(())
}

/// The identifier that an answer gives, and its body.
fn ask(lambda: &mut BufReader<TcpStream>, request: &str) -> io::Result<(String, String)> {
    lambda.get_mut().write_all(request.as_bytes())?;
    let (mut identifier, mut length) = (String::new(), 0);
    let mut line = String::new();
    while lambda.read_line(&mut line)? > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "lambda-extension-identifier" => value.trim().clone_into(&mut identifier),
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            _ => {}
        }
        line.clear();
    }
    let mut body = vec![0; length];
    lambda.read_exact(&mut body)?;
    Ok((identifier, String::from_utf8(body).map_err(io::Error::other)?))
}
