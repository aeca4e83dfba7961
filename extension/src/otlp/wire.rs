//! A visitor over the protobuf wire format: checks an OTLP request against [`schema`](super::schema)
//! and notes what the extension must know of it.
//!
//! What it accepts, every conforming decoder accepts. That matters because requests of several
//! senders leave in one: a malformed one would make the backend refuse its neighbours too.

use super::Signal;
use super::schema::{KEY_VALUE, Kind, Message, request};

/// `STATUS_CODE_ERROR`, in `opentelemetry/proto/trace/v1/trace.proto`.
const ERROR: u32 = 2;
/// Nested deeper than this is refused. Decoders stop at 100; ten levels are the request's own.
const MAX_DEPTH: usize = 64;
/// Ended invocations noted in one request; a function hands over one.
const MAX_INVOCATIONS: usize = 16;
/// The attribute that marks an invocation span and holds its request id.
const INVOCATION_ID: &[u8] = b"faas.invocation_id";
/// Request ids are UUIDs; anything much longer is not one.
const MAX_ID_BYTES: usize = 128;

/// What an OTLP request holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Number of spans, metrics or log records.
    pub items: u64,
    /// Number of messages of any kind.
    pub messages: usize,
    /// Request ids of the invocation spans inside (string attribute `faas.invocation_id`).
    pub invocations: Vec<String>,
    /// Whether a span has the status `ERROR`.
    pub has_error: bool,
}

/// The bytes are not an OTLP request of this signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed OTLP request: {0}")]
pub struct Malformed(&'static str);

/// Checks `bytes` as an export request of `signal` and tells what is in it.
///
/// # Errors
///
/// If a decoder would refuse the bytes, or an id has the wrong length.
pub fn inspect(signal: Signal, bytes: &[u8]) -> Result<Findings, Malformed> {
    let mut findings = Findings::default();
    visit(request(signal), bytes, 0, &mut findings)?;
    Ok(findings)
}

fn visit(message: &Message, bytes: &[u8], depth: usize, findings: &mut Findings) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("nested too deep"));
    }
    findings.messages += 1;
    let mut reader = Reader(bytes);
    while let Some((number, value)) = reader.field()? {
        let Some((_, kind)) = message.0.iter().find(|(known, _)| *known == number) else { continue };
        match (*kind, value) {
            (Kind::Varint | Kind::Varints, Value::Varint(_))
            | (Kind::Fixed64 | Kind::Fixed64s, Value::Fixed64)
            | (Kind::Fixed32, Value::Fixed32)
            | (Kind::Bytes, Value::Bytes(_)) => {}
            // Decoders keep the lower half of an enumeration's number.
            (Kind::StatusCode, Value::Varint(code)) => findings.has_error |= code as u32 == ERROR,
            (Kind::Varints, Value::Bytes(packed)) => {
                let mut packed = Reader(packed);
                while !packed.0.is_empty() {
                    packed.varint()?;
                }
            }
            (Kind::Fixed64s, Value::Bytes(packed)) if packed.len() % 8 == 0 => {}
            (Kind::Text, Value::Bytes(text)) if std::str::from_utf8(text).is_ok() => {}
            (Kind::Id(length), Value::Bytes(id)) => {
                if !id.is_empty() && id.len() != length {
                    return Err(Malformed("an id has the wrong length"));
                }
            }
            (Kind::Nested(inner), Value::Bytes(bytes)) => visit(inner, bytes, depth + 1, findings)?,
            (Kind::Item(inner), Value::Bytes(bytes)) => {
                findings.items += 1;
                visit(inner, bytes, depth + 1, findings)?;
            }
            (Kind::Attribute, Value::Bytes(bytes)) => {
                visit(&KEY_VALUE, bytes, depth + 1, findings)?;
                if let Some(id) = invocation_id(bytes)?
                    && findings.invocations.len() < MAX_INVOCATIONS
                {
                    findings.invocations.push(id);
                }
            }
            _ => return Err(Malformed("a field has the wrong type")),
        }
    }
    Ok(())
}

/// The value of a (checked) attribute if it is a string under the key `faas.invocation_id`.
pub(super) fn invocation_id(attribute: &[u8]) -> Result<Option<String>, Malformed> {
    let (mut key, mut id): (&[u8], Option<&[u8]>) = (b"", None);
    let mut reader = Reader(attribute);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(any)) => {
                let mut any = Reader(any);
                while let Some((number, value)) = any.field()? {
                    id = match (number, value) {
                        (1, Value::Bytes(text)) => Some(text),
                        (1..=8, _) => None,
                        _ => id,
                    };
                }
            }
            _ => {}
        }
    }
    Ok(id
        .filter(|id| key == INVOCATION_ID && !id.is_empty() && id.len() <= MAX_ID_BYTES)
        .and_then(|id| std::str::from_utf8(id).ok())
        .map(str::to_owned))
}

/// A value as it stands on the wire; numbers of a fixed size are not kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64,
    Fixed32,
    Bytes(&'a [u8]),
}

/// Reads fields from the start of the bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

// === impl Reader ===

impl<'a> Reader<'a> {
    /// The next field, or `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| Malformed("a field number is too large"))?;
        let value = match key & 7 {
            0 => self.varint().map(Value::Varint)?,
            1 => self.take(8).map(|_| Value::Fixed64)?,
            2 => {
                let length =
                    usize::try_from(self.varint()?).map_err(|_| Malformed("a length is too large"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed32)?,
            // Groups (3, 4) were never part of OTLP.
            _ => return Err(Malformed("an unknown wire type")),
        };
        match key >> 3 {
            0 => Err(Malformed("a field has number 0")),
            number => Ok(Some((number, value))),
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for at in 0..10_u32 {
            let (&byte, rest) = self.0.split_first().ok_or(Malformed("it ends within a number"))?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return if at == 9 && byte > 1 { Err(Malformed("a number is too large")) } else { Ok(value) };
            }
        }
        Err(Malformed("a number is too long"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed("it ends within a field"))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
