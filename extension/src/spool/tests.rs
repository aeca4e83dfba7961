use super::{Left, Missing, Place, Spool, Ticket};
use crate::otlp::Signal;
use crate::sandbox::Sandbox;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const API: &str = "127.0.0.1:9001";
const LIMIT: usize = 4000;

/// An OTLP request of one span whose name has this length.
fn request(name: usize) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| {
        let length = bytes.len();
        [&[tag, length as u8 & 0x7f | 0x80, (length >> 7) as u8], bytes].concat()
    };
    field(0x0a, &field(0x12, &field(0x12, &field(0x2a, &vec![b'x'; name]))))
}

fn folder(tmp: &Path) -> PathBuf {
    let [ours] = children(tmp).try_into().expect("one folder");
    let [sandbox] = children(&ours).try_into().expect("one sandbox");
    sandbox
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

/// The folder as another process finds it if this one dies now.
fn death(tmp: &Path) -> TempDir {
    let after = tempfile::tempdir().expect("tmp");
    Sandbox::open(after.path(), API).expect("made");
    for file in children(&folder(tmp)) {
        fs::copy(&file, folder(after.path()).join(file.file_name().expect("a name"))).expect("copied");
    }
    after
}

fn names(count: usize) -> Vec<String> {
    ["one", "two", "three", "four"][..count].iter().map(|name| (*name).to_owned()).collect()
}

/// The spool of a process for so many destinations.
fn at(tmp: &Path, destinations: usize) -> Spool {
    Spool::new(tmp, API, LIMIT, &names(destinations))
}

/// A spool whose folder is there already.
fn spool(destinations: usize) -> (TempDir, Spool) {
    let tmp = tempfile::tempdir().expect("tmp");
    Sandbox::open(tmp.path(), API).expect("made");
    let spool = at(tmp.path(), destinations);
    (tmp, spool)
}

fn write(spool: &mut Spool, id: &str, size: usize) -> Place {
    spool.write(Signal::Traces, Some(id), &request(size))
}

/// Of one destination.
fn ticket(spool: &mut Spool, id: &str, size: usize) -> Ticket {
    write(spool, id, size).ticket(0)
}

fn is_written(ticket: &Ticket) -> bool {
    *ticket != Ticket::default()
}

fn ids(left: &Left) -> Vec<&str> {
    left.requests.iter().filter_map(|owed| owed.request_id.as_deref()).collect()
}

/// Whom each request is owed to, in small letters where it may have been sent.
fn owed(left: &Left) -> Vec<String> {
    let letter = |missing: &Missing| {
        let letter = ["A", "B", "C", "D"][missing.to];
        if missing.maybe_sent { letter.to_lowercase() } else { letter.to_owned() }
    };
    left.requests.iter().map(|owed| owed.to.iter().map(letter).collect()).collect()
}

fn size(tmp: &Path) -> u64 {
    children(&folder(tmp)).iter().map(|file| fs::metadata(file).expect("there").len()).sum()
}

#[test]
fn what_waits_survives_and_is_done_with_once() {
    let (tmp, mut spool) = spool(1);
    let [a, b, c] = ["a", "b", "c"].map(|id| ticket(&mut spool, id, id.len()));
    drop(b);
    c.leaves();
    let after = death(tmp.path());
    let mut second = at(after.path(), 1);
    let mut left = second.left();
    assert_eq!(ids(&left), ["a", "c"], "what was delivered is not sent again");
    assert_eq!(owed(&left), ["A", "a"]);
    assert_eq!((&left.requests[0].bytes[..], left.requests[0].items), (&request(1)[..], 1));
    let more = second.write(Signal::Logs, None, &[]).ticket(0);
    // It dies, too, and had delivered the first.
    drop(left.requests.remove(0));
    let third = death(after.path());
    let found = at(third.path(), 1).left();
    let ids: Vec<_> = found.requests.iter().map(|owed| owed.request_id.as_deref()).collect();
    assert_eq!(ids, [Some("c"), None]);
    drop((left, more));
    second.close();
    assert!(children(after.path()).iter().all(|ours| children(ours).is_empty()), "nothing is left behind");
    drop(a);
}

#[test]
fn each_destination_is_owed_what_it_misses() {
    let (tmp, mut spool) = spool(3);
    let [a, b, c] = ["a", "b", "c"].map(|id| {
        let place = write(&mut spool, id, 1);
        [0, 1, 2].map(|to| place.ticket(to))
    });
    let [_a0, a1, a2] = a;
    drop(a1);
    a2.leaves();
    a2.clone().stays();
    let [b0, b1, b2] = b;
    b1.leaves();
    // The next try did not come so far.
    b1.unanswered();
    b1.stays();
    drop((b0, b2));
    drop(c);
    let after = death(tmp.path());
    let mut next = at(after.path(), 3);
    let left = next.left();
    assert_eq!((ids(&left), owed(&left)), (vec!["a", "b"], vec!["AC".into(), "b".into()]));
    drop(left);
    drop((a2, b1));
}

#[test]
fn to_other_destinations_all_goes_that_any_missed() {
    let (tmp, mut spool) = spool(2);
    let [a, b] = ["a", "b"].map(|id| write(&mut spool, id, 1)).map(|place| [0, 1].map(|to| place.ticket(to)));
    let [_a0, a1] = a;
    drop((a1, b));
    let after = death(tmp.path());
    let left = at(after.path(), 3).left();
    assert_eq!((ids(&left), owed(&left)), (vec!["a"], vec!["ABC".into()]));
    let (again, one) = (death(after.path()), death(after.path()));
    assert_eq!(owed(&at(again.path(), 3).left()), ["ABC"], "the file is its own now");
    assert_eq!(owed(&at(one.path(), 1).left()), ["A"]);
    drop(left);
}

#[test]
fn files_are_ours_alone_and_short() {
    let (tmp, mut spool) = spool(1);
    for _ in 0..100 {
        drop(ticket(&mut spool, "a", 200));
    }
    let [file] = children(&folder(tmp.path())).try_into().expect("one file");
    assert_eq!(fs::metadata(file).expect("there").permissions().mode() & 0o7777, 0o600);
    assert!(size(tmp.path()) < 300, "what nobody needs is not kept: {}", size(tmp.path()));
}

#[test]
fn where_nothing_can_be_written_it_is_tried_again() {
    let tmp = tempfile::tempdir().expect("tmp");
    let later = tmp.path().join("later");
    let mut spool = at(&later, 1);
    assert_eq!(spool.left().requests.len(), 0);
    assert!(!is_written(&ticket(&mut spool, "a", 1)));
    fs::create_dir(later).expect("made");
    assert!(is_written(&ticket(&mut spool, "a", 1)));
    assert!(!is_written(&Spool::off().write(Signal::Logs, None, &[]).ticket(0)));
}

#[test]
fn a_file_that_somebody_removes_is_begun_anew() {
    let (tmp, mut spool) = spool(1);
    let _a = ticket(&mut spool, "a", 1);
    fs::remove_dir_all(folder(tmp.path())).expect("removed");
    let _b = ticket(&mut spool, "b", 1);
    assert_eq!(ids(&at(death(tmp.path()).path(), 1).left()), ["b"]);
}

#[test]
fn links_and_files_with_two_names_are_not_believed() {
    let (tmp, mut writer) = spool(1);
    let _ticket = ticket(&mut writer, "a", 1);
    let after = death(tmp.path());
    let (own, first) = (folder(after.path()), folder(after.path()).join("spool-0000000000000000"));
    let left = || at(after.path(), 1).left().requests.len();
    fs::rename(&first, own.join("elsewhere")).expect("moved");
    symlink(own.join("elsewhere"), &first).expect("a link");
    assert_eq!(left(), 0);
    fs::remove_file(&first).expect("removed");
    fs::hard_link(own.join("elsewhere"), &first).expect("a second name");
    assert_eq!(left(), 0);
    fs::remove_file(own.join("elsewhere")).expect("removed");
    assert_eq!(left(), 1, "the test can fail");
}

#[test]
fn what_a_living_process_writes_is_its_own() {
    let (tmp, mut first) = spool(1);
    let _a = ticket(&mut first, "a", 1);
    let mut second = at(tmp.path(), 1);
    assert_eq!(second.left().requests.len(), 0);
    let _b = ticket(&mut second, "b", 1);
    // Its next file has a name that the second has taken.
    let held: Vec<Ticket> = (0..30).map(|_| ticket(&mut first, "c", 100)).collect();
    assert!(held.iter().all(is_written));
    let left = at(death(tmp.path()).path(), 1).left();
    assert_eq!((ids(&left).contains(&"b"), left.requests.len()), (true, 32));
}

#[test]
fn what_is_held_for_ever_does_not_fill_the_disk() {
    let (tmp, mut spool) = spool(1);
    let held: Vec<Ticket> = (0..100).map(|_| ticket(&mut spool, "a", 100)).collect();
    let size = || size(tmp.path());
    assert!(size() <= 2 * LIMIT as u64 && size() > LIMIT as u64, "{}", size());
    drop(held);
    assert!(is_written(&ticket(&mut spool, "a", 100)), "there is room again");
    assert!(size() < 200, "{}", size());
}

#[derive(Debug, Clone)]
enum Step {
    Accept(usize),
    Leave(usize, prop::sample::Index),
    Done(usize, prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..100).prop_map(Step::Accept),
        1 => (0_usize..2, any::<prop::sample::Index>()).prop_map(|(to, at)| Step::Leave(to, at)),
        3 => (0_usize..2, any::<prop::sample::Index>()).prop_map(|(to, at)| Step::Done(to, at)),
    ]
}

/// The claims of two destinations, and whether they left.
type Waiting = Vec<(String, [Option<(Ticket, bool)>; 2])>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whenever it dies, what waits is found, in its order, and nothing else.
    #[test]
    fn a_death_at_any_moment_loses_nothing(steps in vec(step(), 1..40)) {
        let (tmp, mut spool) = spool(2);
        let mut waiting = Waiting::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Accept(size) => {
                    let id = number.to_string();
                    let place = write(&mut spool, &id, size);
                    let tickets = [0, 1].map(|to| place.ticket(to));
                    prop_assert!(tickets.iter().all(is_written));
                    waiting.push((id, tickets.map(|ticket| Some((ticket, false)))));
                }
                Step::Leave(to, at) if !waiting.is_empty() => {
                    let at = at.index(waiting.len());
                    if let Some((ticket, left)) = &mut waiting[at].1[to] {
                        *left = true;
                        ticket.leaves();
                    }
                }
                Step::Done(to, at) if !waiting.is_empty() => {
                    let at = at.index(waiting.len());
                    waiting[at].1[to] = None;
                }
                _ => {}
            }
        }
        let after = death(tmp.path());
        let left = at(after.path(), 2).left();
        let left: Vec<(&str, String)> = ids(&left).into_iter().zip(owed(&left)).collect();
        let letters = |claims: &[Option<(Ticket, bool)>; 2]| -> String {
            let letter = |(claim, letters): (&Option<(Ticket, bool)>, [&'static str; 2])| {
                claim.as_ref().map(|(_, left)| letters[usize::from(*left)])
            };
            claims.iter().zip([["A", "a"], ["B", "b"]]).filter_map(letter).collect()
        };
        let expected: Vec<(&str, String)> =
            waiting.iter().map(|(id, claims)| (id.as_str(), letters(claims))).filter(|(_, to)| !to.is_empty()).collect();
        prop_assert_eq!(left, expected);
    }

    /// Frames behind a bad one are not believed, and no bytes do harm.
    #[test]
    fn foreign_bytes_are_no_requests(noise in vec(any::<u8>(), 0..200), behind: bool) {
        let (tmp, mut spool) = spool(1);
        let _ticket = ticket(&mut spool, "a", 9);
        let after = death(tmp.path());
        let file = folder(after.path()).join("spool-0000000000000000");
        let real = fs::read(&file).expect("there");
        let content = if behind { [real, noise].concat() } else { noise };
        fs::write(&file, content).expect("written");
        let left = at(after.path(), 1).left();
        prop_assert_eq!(ids(&left), if behind { vec!["a"] } else { vec![] });
        drop(left);
        prop_assert!(children(&folder(after.path())).is_empty(), "a file that says nothing is removed");
    }
}
