//! Any bytes are read as a file of the spool: what is believed is a request that a backend takes, and no more than is there.
//! What was written and is owed when the process dies is found again; in a file that was damaged, nothing that was not written.
//! The first byte chooses: a file's bytes as they are; or steps in which one is written, and the next three what is damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use throughline_extension::otlp::{Signal, inspect};
use throughline_extension::sandbox::Sandbox;
use throughline_extension::spool::{Owed, Spool};
use throughline_extension_fuzz::Request;

const API: &str = "127.0.0.1:9001";
const LIMIT: usize = 64 * 1024;

/// A request in the spool: signal, request id, body, and who is still to get it.
type Written = (Signal, String, Vec<u8>, Vec<usize>);

fuzz_target!(|input: &[u8]| {
    let root = root();
    let _ = fs::remove_dir_all(&root);
    let (alive, next) = (root.join("alive"), root.join("next"));
    [&alive, &next].into_iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
    match input {
        [mode, file @ ..] if mode % 2 == 0 => {
            let found = left(&next, file);
            assert!(found.iter().map(|(_, _, body, _)| body.len()).sum::<usize>() <= file.len());
        }
        [_, at, flip, destinations, steps @ ..] => {
            let names = names(usize::from(destinations % 4) + 1);
            let mut spool = Spool::new(&alive, API, LIMIT, &names);
            let (written, tickets) = write(&mut spool, names.len(), steps);
            let Some(mut file) = file_in(&alive).and_then(|path| fs::read(path).ok()) else {
                assert!(written.is_empty(), "nothing was written");
                return;
            };
            // In the memory of the process that dies.
            let owed: Vec<_> = written.iter().filter(|(_, _, _, to)| !to.is_empty()).cloned().collect();
            assert_eq!(left_of(&next, &file, &names), owed);
            let at = file.len() * usize::from(*at) / 256;
            file[at] ^= flip;
            let _ = fs::remove_dir_all(&next);
            fs::create_dir_all(&next).expect("a folder");
            let mut all = written.iter().map(|(signal, id, body, _)| (signal, id, body));
            for (signal, id, body, _) in left_of(&next, &file, &names) {
                assert!(
                    all.any(|one| one == (&signal, &id, &body)),
                    "it was not written, or not in this order"
                );
            }
            drop(tickets);
        }
        [] | [_, ..] => {}
    }
});

/// Steps of one byte for the signal and who has got it, one for the request id's length and one for the body's.
fn write(spool: &mut Spool, destinations: usize, mut steps: &[u8]) -> (Vec<Written>, Vec<impl Drop + use<>>) {
    let (mut written, mut held) = (Vec::new(), Vec::new());
    while let [choice, id, length, rest @ ..] = steps {
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        steps = rest;
        let signal = Signal::ALL[usize::from(choice % 3)];
        // Only what was accepted is written.
        if inspect(signal, body).is_err() {
            continue;
        }
        let id = "r".repeat(usize::from(id % 130));
        let place = spool.write(signal, Some(&id), body);
        let is_owed = |to: &usize| choice >> (to + 2) & 1 == 1;
        let tickets: Vec<_> =
            (0..destinations).map(|to| (to, place.ticket(to))).filter(|(to, _)| is_owed(to)).collect();
        let id = if id.len() > 128 { String::new() } else { id };
        written.push((signal, id, body.to_vec(), tickets.iter().map(|(to, _)| *to).collect()));
        held.push(tickets);
    }
    (written, held)
}

fn left(tmp: &Path, file: &[u8]) -> Vec<Written> {
    left_of(tmp, file, &names(2))
}

/// What the next process finds in a file.
fn left_of(tmp: &Path, file: &[u8], names: &[String]) -> Vec<Written> {
    drop(Sandbox::open(tmp, API).expect("a folder"));
    let path = folder_in(tmp).expect("just made").join("spool-0000000000000000");
    let mut options = fs::OpenOptions::new();
    let made = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut made.expect("a file"), file).expect("written");
    let found = Spool::new(tmp, API, LIMIT, names).left();
    let requests: Vec<Written> = found.requests.iter().map(written).collect();
    for owed in &found.requests {
        let items = Request::decode(owed.signal, &owed.bytes).expect("a request").items();
        assert_eq!(owed.items, items.len() as u64);
        assert!(!owed.to.is_empty() && owed.to.iter().all(|missing| missing.to < names.len()));
    }
    // Everybody has got everything.
    drop(found);
    assert!(!path.exists(), "nobody needs it");
    requests
}

fn written(owed: &Owed) -> Written {
    let id = owed.request_id.as_deref().unwrap_or_default().to_owned();
    (owed.signal, id, owed.bytes.to_vec(), owed.to.iter().map(|missing| missing.to).collect())
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("http://{number}")).collect()
}

/// In memory, where there is such a place.
fn root() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    root.join(format!("throughline-fuzz-{}", std::process::id()))
}

/// The sandbox's folder.
fn folder_in(tmp: &Path) -> Option<PathBuf> {
    let only = |folder: &Path| Some(fs::read_dir(folder).ok()?.next()?.ok()?.path());
    only(&only(tmp)?)
}

fn file_in(tmp: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder_in(tmp)?).ok()?.next()?.ok()?.path())
}
