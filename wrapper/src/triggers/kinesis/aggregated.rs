//! Records that the Kinesis Producer Library (KPL) put into one: a magic number, an `AggregatedRecord` in Protocol
//! Buffers, and the MD5 of that
//! (<https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>).
//!
//! Read in place: what is asked for is where the data of each part stands, so that a part can be changed and every
//! other byte kept.

use std::ops::Range;

use md5::{Digest as _, Md5};

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const MD5_BYTES: usize = 16;
/// Field of `AggregatedRecord`: the parts.
const RECORDS: u64 = 3;
/// Field of `Record`: its data.
const DATA: u64 = 3;
/// The most parts that are read: as many as the largest batch has records.
const MAX_PARTS: usize = 10_000;

/// An aggregated record.
#[derive(Debug)]
pub(crate) struct Aggregated<'a> {
    message: &'a [u8],
    parts: Vec<Part>,
}

/// A part: where it stands in the message, with its key and length, where its own message does, and its data in that.
#[derive(Debug)]
struct Part {
    field: Range<usize>,
    record: Range<usize>,
    data: Field,
}

impl<'a> Aggregated<'a> {
    /// Takes data apart; `None` if it is not aggregated: any other data may begin with the magic number, and then the
    /// MD5 is wrong.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let (message, md5) = data.strip_prefix(&MAGIC)?.split_last_chunk::<MD5_BYTES>()?;
        if Md5::digest(message).as_slice() != md5 {
            return None;
        }
        let mut parts = Vec::new();
        let mut fields = Fields { message, at: 0 };
        while fields.at < message.len() {
            let field = fields.next()?;
            if field.number != RECORDS {
                continue;
            }
            let record = field.value.clone();
            let mut inner = Fields { message: message.get(..record.end)?, at: record.start };
            let mut data = None;
            while inner.at < record.end {
                data = Some(inner.next()?).filter(|field| field.number == DATA && field.has_length).or(data);
            }
            if parts.len() == MAX_PARTS {
                return None;
            }
            parts.push(Part { field: field.whole, record, data: data? });
        }
        Some(Self { message, parts })
    }

    /// How many parts there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The data of each part.
    pub(crate) fn data(&self) -> impl Iterator<Item = &'a [u8]> {
        self.parts.iter().map(|part| self.message.get(part.data.value.clone()).unwrap_or_default())
    }

    /// The whole with new data in those parts for which there is some.
    pub(crate) fn with(&self, changes: &[Option<Vec<u8>>]) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.message.len());
        let mut at = 0;
        let slice = |range: Range<usize>| self.message.get(range).unwrap_or_default();
        for (part, change) in self.parts.iter().zip(changes) {
            let Some(data) = change else { continue };
            let mut record = slice(part.record.start..part.data.whole.start).to_vec();
            write_field(&mut record, DATA, data);
            record.extend_from_slice(slice(part.data.whole.end..part.record.end));
            message.extend_from_slice(slice(at..part.field.start));
            write_field(&mut message, RECORDS, &record);
            at = part.field.end;
        }
        message.extend_from_slice(slice(at..self.message.len()));
        let md5 = Md5::digest(&message);
        [MAGIC.as_slice(), &message, md5.as_slice()].concat()
    }
}

/// A field of a message in Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>).
#[derive(Debug)]
struct Field {
    number: u64,
    /// Whether it is one with a length: bytes, text or a message.
    has_length: bool,
    whole: Range<usize>,
    value: Range<usize>,
}

struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn next(&mut self) -> Option<Field> {
        let start = self.at;
        let key = self.varint()?;
        let length = match key & 7 {
            0 => {
                let before = self.at;
                self.varint()?;
                let length = self.at - before;
                self.at = before;
                length
            }
            1 => 8,
            2 => usize::try_from(self.varint()?).ok()?,
            5 => 4,
            _ => return None,
        };
        let value = self.at..self.at.checked_add(length).filter(|end| *end <= self.message.len())?;
        self.at = value.end;
        Some(Field { number: key >> 3, has_length: key & 7 == 2, whole: start..value.end, value })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.message.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

fn write_field(message: &mut Vec<u8>, number: u64, value: &[u8]) {
    write_varint(message, number << 3 | 2);
    write_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn write_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct AggregatedRecord {
        #[prost(string, repeated, tag = "1")]
        partition_key_table: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        explicit_hash_key_table: Vec<String>,
        #[prost(message, repeated, tag = "3")]
        records: Vec<Record>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Record {
        #[prost(uint64, required, tag = "1")]
        partition_key_index: u64,
        #[prost(uint64, optional, tag = "2")]
        explicit_hash_key_index: Option<u64>,
        #[prost(bytes = "vec", required, tag = "3")]
        data: Vec<u8>,
        #[prost(message, repeated, tag = "4")]
        tags: Vec<Tag>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Tag {
        #[prost(string, required, tag = "1")]
        key: String,
        #[prost(string, optional, tag = "2")]
        value: Option<String>,
    }

    fn sealed(message: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), message, Md5::digest(message).as_slice()].concat()
    }

    /// What the library makes of these.
    pub(in crate::triggers) fn aggregate<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
        let part = |(n, data): (usize, &T)| Record {
            partition_key_index: n as u64 % 2,
            explicit_hash_key_index: (n == 0).then_some(300),
            data: data.as_ref().to_vec(),
            tags: vec![Tag { key: "k".to_owned(), value: None }; n % 2],
        };
        let message = AggregatedRecord {
            partition_key_table: vec!["a".to_owned(), "b".repeat(200)],
            explicit_hash_key_table: vec!["7".to_owned()],
            records: parts.iter().enumerate().map(part).collect(),
        };
        sealed(&message.encode_to_vec())
    }

    #[test]
    fn what_is_not_aggregated_is_left_alone() {
        let good = aggregate(&[b"{}".as_slice(), b""]);
        assert_eq!(Aggregated::parse(&good).unwrap().data().collect::<Vec<_>>(), [b"{}".as_slice(), b""]);
        for at in 0..good.len() {
            let mut torn = good.clone();
            torn[at] ^= 1;
            assert!(Aggregated::parse(&torn).is_none() && Aggregated::parse(&good[..at]).is_none(), "{at}");
        }
        // The MD5 is right, and what it is of is no message, or one of too many parts.
        for message in [
            &b"\x1a"[..],
            b"\x1a\x05",
            b"\x1a\x02\x08\x01",
            b"\x1f",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(Aggregated::parse(&sealed(message)).is_none(), "{message:x?}");
        }
        assert_eq!(Aggregated::parse(&sealed(b"")).unwrap().len(), 0);
        let parts = |count| aggregate(&vec!["x"; count]);
        assert_eq!(Aggregated::parse(&parts(MAX_PARTS)).unwrap().len(), MAX_PARTS);
        assert!(Aggregated::parse(&parts(MAX_PARTS + 1)).is_none());
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300)
    }

    proptest! {
        #[test]
        fn parts_are_found_and_changed_alone(
            parts in prop::collection::vec((any_bytes(), prop::option::of(any_bytes())), 0..6),
        ) {
            let before: Vec<&[u8]> = parts.iter().map(|(data, _)| data.as_slice()).collect();
            let after: Vec<&[u8]> =
                parts.iter().map(|(data, change)| change.as_ref().unwrap_or(data).as_slice()).collect();
            let whole = aggregate(&before);
            let read = Aggregated::parse(&whole).unwrap();
            prop_assert_eq!(read.data().collect::<Vec<_>>(), before);
            let changes: Vec<_> = parts.iter().map(|(_, change)| change.clone()).collect();
            prop_assert_eq!(read.with(&changes), aggregate(&after));
        }

        #[test]
        fn any_bytes_are_survived(message in any_bytes()) {
            let whole = sealed(&message);
            if let Some(read) = Aggregated::parse(&whole) {
                let same: Vec<_> = read.data().map(|data| Some(data.to_vec())).collect();
                prop_assert!(read.data().all(|data| data.len() <= message.len()));
                prop_assert!(Aggregated::parse(&read.with(&same)).is_some());
                prop_assert_eq!(read.with(&vec![None; same.len()]), whole.clone());
            }
            let _ = Aggregated::parse(&message);
        }
    }
}
