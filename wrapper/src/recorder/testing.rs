//! For tests: a reader of the recorder's files, which believes them.

use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::frame::{HEAD, MAGIC, PAGE, PAGES, SPANS, checksum};
use crate::sandbox;

/// The spans in the only file of a sandbox, as they were written down; none if nothing is under way.
pub(crate) fn written_down(runtime_api: &str) -> Vec<Span> {
    let folder = sandbox::folder(runtime_api);
    let files: Vec<_> = files(&folder).into_iter().filter(|file| file.starts_with(&MAGIC)).collect();
    assert_eq!(files.len(), 1, "files in {}", folder.display());
    spans(&files[0])
}

/// The files of a recorder, the newest last.
pub(crate) fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| path.metadata().unwrap().modified().unwrap());
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

pub(crate) fn frame_at(bytes: &[u8], at: usize, seed: u64) -> Option<(u8, &[u8])> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().unwrap()));
    let end = at.checked_add(HEAD)?.checked_add(number(at)? as usize)?;
    let payload = bytes.get(at + HEAD - 1..end)?;
    (number(at + 4)? == checksum(seed, payload)).then(|| (payload[0], &payload[1..]))
}

pub(crate) fn nonce(file: &[u8]) -> Option<u64> {
    (file.get(..8)? == MAGIC).then_some(())?;
    Some(u64::from_le_bytes(file.get(8..16)?.try_into().unwrap())).filter(|nonce| *nonce != 0)
}

/// Kind and payload of every frame of the journal, but for those that number its pages; `None` if nothing is under way.
pub(crate) fn walk(file: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let nonce = nonce(file)?;
    let mut frames = frames(file, 16, SPANS, nonce);
    for (number, start) in pages(file) {
        // After the frame that numbers it.
        frames.extend(self::frames(file, start + HEAD + 8, start + PAGE, nonce.wrapping_add(number)));
    }
    Some(frames)
}

/// The pages of spans, the oldest first: their numbers, and where they begin.
pub(crate) fn pages(file: &[u8]) -> Vec<(u64, usize)> {
    let starts = (0..PAGES).map(|page| SPANS + page * PAGE);
    let number = |start| match frame_at(file, start, nonce(file)?)? {
        (b'P', number) => Some((u64::from_le_bytes(number.try_into().unwrap()), start)),
        other => panic!("a page begins with {other:?}"),
    };
    let mut pages: Vec<_> = starts.filter_map(number).collect();
    pages.sort();
    pages
}

fn frames(file: &[u8], mut at: usize, end: usize, seed: u64) -> Vec<(u8, &[u8])> {
    let room = &file[..file.len().min(end)];
    let mut frames = Vec::new();
    while let Some((kind, payload)) = frame_at(room, at, seed) {
        at += HEAD + payload.len();
        frames.push((kind, payload));
    }
    frames
}

/// How many spans the file says are missing.
pub(crate) fn missing(file: &[u8]) -> u64 {
    let frames = walk(file).unwrap().into_iter().rev();
    let said = frames.filter(|(kind, _)| *kind == b'F').map(|(_, count)| count.try_into().unwrap());
    said.map(u64::from_le_bytes).next().unwrap_or_default()
}

pub(crate) fn kinds(file: &[u8]) -> String {
    walk(file).unwrap().into_iter().map(|(kind, _)| char::from(kind)).collect()
}

/// The spans of a file, as they were written down.
pub(crate) fn spans(file: &[u8]) -> Vec<Span> {
    let frames = walk(file).unwrap_or_default().into_iter();
    frames.filter(|(kind, _)| *kind == b'S').map(|(_, span)| Span::decode(span).unwrap()).collect()
}
