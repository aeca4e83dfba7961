mod moments;
mod torn;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::frame::{JOURNAL_END, LINE, LINES, SIZE, SPANS};
use super::testing::{files, frame_at, kinds, missing, nonce, spans, walk};
use super::*;
use crate::propagation::root;
use crate::span::{SpanKind, attribute};
use crate::testing::{ended, now};

fn recorder() -> (Arc<Recorder>, TempDir) {
    let tmp = tempfile::tempdir().unwrap();
    let resource = Resource { attributes: vec![attribute("faas.name", "checkout")], ..Resource::default() };
    (Arc::new(Recorder::new(tmp.path().join("ours/hash"), &resource)), tmp)
}

fn span(name: &str) -> Span {
    Span::start(root(None), None, SpanKind::Server, name, now())
}

fn open(recorder: &Arc<Recorder>, request_id: &str) -> Journal {
    let journal = recorder.open(request_id, &span("invocation")).unwrap();
    journal.event(|| Some("{}".to_owned()));
    journal
}

#[test]
fn what_is_written_is_read_back_in_order() {
    let (recorder, _tmp) = recorder();
    let invocation = span("invocation");
    let journal = recorder.open("r-1", &invocation).unwrap();
    let mut call = span("call");
    journal.begun(&call);
    for event in ["{\"a\":1}", "again"] {
        journal.event(|| Some(event.to_owned()));
    }
    call.fail("Timeout", "no answer", now());
    journal.begun(&call);
    journal.ended(&call.clone().end(now()));
    journal.begun(&invocation);
    let file = &files(&recorder.folder)[0];
    assert_eq!(kinds(file), "IRSESSSS");
    let frames = walk(file).unwrap();
    assert_eq!((frames[0].1, frames[3].1), (&b"r-1"[..], &b"{\"a\":1}"[..]));
    assert_eq!(Resource::decode(frames[1].1).unwrap().attributes, [attribute("faas.name", "checkout")]);
    let spans = spans(file);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["invocation", "call", "call", "call", "invocation"]);
    assert!(spans[1].end_time_unix_nano == 0 && spans[1].status.is_none(), "{:?}", spans[1]);
    assert!(spans[2].end_time_unix_nano == 0 && spans[2].status.is_some(), "{:?}", spans[2]);
    assert_eq!(spans[3], call.end(now()).decode());
}

#[test]
fn spans_that_have_not_ended_are_known() {
    let (recorder, _tmp) = recorder();
    let invocation = span("invocation");
    let journal = recorder.open("r-1", &invocation).unwrap();
    let (mut call, ended) = (span("call"), span("ended"));
    journal.begun(&call);
    journal.begun(&ended);
    call.set("said", "later");
    journal.begun(&call);
    journal.ended(&ended.end(now()));
    let end = now() + Duration::from_secs(1);
    let open = open_spans(&journal.so_far(), end);
    let [open] = open.iter().map(EndedSpan::decode).collect::<Vec<_>>().try_into().unwrap();
    let expected = [attribute("said", "later"), attribute("throughline.partial", true)];
    assert_eq!((open.name.as_str(), &open.attributes[..]), ("call", &expected[..]));
    assert_eq!(open.end_time_unix_nano, crate::span::unix_nanos(end));
    journal.clear();
    assert!(open_spans(&journal.so_far(), end).is_empty());
}

#[test]
fn files_are_for_us_alone_and_named_at_random() {
    let (recorder, _tmp) = recorder();
    let _journals = (open(&recorder, "r-1"), open(&recorder, "r-2"));
    for entry in fs::read_dir(&recorder.folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let digits = name.strip_prefix("recorder-").unwrap();
        assert!(digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(entry.metadata().unwrap().mode() & 0o7777, 0o400);
    }
}

#[test]
fn invocations_at_once_have_files_of_their_own_and_later_ones_use_them_again() {
    let (recorder, _tmp) = recorder();
    let both = [open(&recorder, "r-1"), open(&recorder, "r-2")];
    both[0].begun(&span("of the first"));
    both[1].begun(&span("of the second"));
    let found = files(&recorder.folder);
    let mut of_both: Vec<_> =
        found.iter().map(|file| (walk(file).unwrap()[0].1.to_vec(), spans(file)[1].name.clone())).collect();
    of_both.sort();
    let expected =
        [(b"r-1".to_vec(), "of the first".to_owned()), (b"r-2".to_vec(), "of the second".to_owned())];
    assert_eq!(of_both, expected);
    both.iter().for_each(Journal::clear);
    assert!(files(&recorder.folder).iter().all(|file| walk(file).is_none()));
    both[0].begun(&span("late"));
    both[0].line("late");
    let third = open(&recorder, "r-3");
    third.begun(&span("of the third"));
    both[0].begun(&span("later"));
    drop(both);
    let found = files(&recorder.folder);
    assert_eq!(found.len(), 2);
    let under_way: Vec<_> = found.iter().filter_map(|file| walk(file).map(|_| kinds(file))).collect();
    assert_eq!(under_way, ["IRSES"]);
}

#[test]
fn what_an_earlier_invocation_left_behind_is_no_part_of_a_later_one() {
    let (recorder, _tmp) = recorder();
    let journal = open(&recorder, "r-1");
    (0..9).for_each(|_| journal.begun(&span("earlier")));
    journal.line("earlier");
    journal.clear();
    let _journal = open(&recorder, "r-2");
    let file = &files(&recorder.folder)[0];
    assert_eq!(kinds(file), "IRSE");
    assert_eq!(frame_at(file, JOURNAL_END, nonce(file).unwrap()), None);
}

#[test]
fn of_more_than_there_is_room_for_the_invocation_what_is_open_and_the_newest_are_kept() {
    let (recorder, _tmp) = recorder();
    let mut invocation = span("invocation");
    let journal = recorder.open("r-1", &invocation).unwrap();
    invocation.set("user.id", "u-1");
    journal.begun(&invocation);
    journal.begun(&span("open"));
    let many = 3 * JOURNAL_END / 1000;
    for n in 0..many {
        journal.ended(&ended("ended", [attribute("n", n as i64), attribute("text", "x".repeat(1000))]));
    }
    journal.event(|| Some("{}".to_owned()));
    let file = &files(&recorder.folder)[0];
    assert!(kinds(file).starts_with("IRSE") && file.len() == SIZE, "{}", kinds(file));
    let spans = spans(file);
    let with_user: Vec<_> = spans.iter().filter(|span| span.name == "invocation").collect();
    assert_eq!(with_user.last().unwrap().attributes, [attribute("user.id", "u-1")]);
    assert!(spans.iter().any(|span| span.name == "open"));
    let numbers: Vec<_> =
        spans.iter().filter(|span| span.name == "ended").map(|span| &span.attributes[0]).collect();
    let newest: Vec<_> = (many - numbers.len()..many).map(|n| attribute("n", n as i64)).collect();
    assert_eq!(numbers, newest.iter().collect::<Vec<_>>());
    assert!(numbers.len() > many / 5, "of {many} there are {}", numbers.len());
    assert_eq!(missing(file), (many - numbers.len()) as u64);
    assert_eq!(open_spans(&journal.so_far(), now()).len(), 1);
    journal.clear();
    let _journal = open(&recorder, "r-2");
    assert_eq!(kinds(&files(&recorder.folder)[0]), "IRSE");
}

#[test]
fn the_last_lines_are_kept_in_their_places() {
    let (recorder, _tmp) = recorder();
    let journal = open(&recorder, "r-1");
    (0..LINES + 2).for_each(|n| journal.line(&format!("line {n}")));
    journal.line(&"é".repeat(LINE));
    let file = &files(&recorder.folder)[0];
    let line = |slot: u64| {
        let (kind, payload) =
            frame_at(file, JOURNAL_END + slot as usize * LINE, nonce(file).unwrap()).unwrap();
        assert_eq!(kind, b'L');
        let (number, line) = payload.split_first_chunk().unwrap();
        (u64::from_le_bytes(*number), str::from_utf8(line).unwrap())
    };
    assert_eq!((line(0), line(1)), ((LINES, "line 64"), (LINES + 1, "line 65")));
    assert_eq!(line(63), (63, "line 63"));
    let (number, long) = line(2);
    assert_eq!((number, long.len()), (LINES + 2, 1006), "a character is not cut");
    assert_eq!(kinds(file), "IRSE");
}

#[test]
fn a_tmp_that_was_wiped_has_a_file_again() {
    let (recorder, tmp) = recorder();
    let wipe = || fs::remove_dir_all(tmp.path().join("ours")).unwrap();
    let journal = open(&recorder, "r-1");
    wipe();
    journal.begun(&span("for nobody"));
    journal.clear();
    let journal = open(&recorder, "r-2");
    assert_eq!(files(&recorder.folder).len(), 1);
    wipe();
    drop(journal);
    let _journal = open(&recorder, "r-3");
    assert_eq!(files(&recorder.folder).len(), 1);
    assert!(!recorder.is_off());
}

#[test]
fn of_very_many_at_once_some_have_none_until_others_are_over() {
    let (recorder, _tmp) = recorder();
    let mut journals: Vec<_> = (0..MAX_AT_ONCE).map(|_| open(&recorder, "r-1")).collect();
    let more = || recorder.open("r-2", &span("invocation"));
    assert!(more().is_none() && !recorder.is_off());
    journals.pop();
    let again = more();
    assert!(again.is_some() && more().is_none());
    // Files that somebody removed count no more.
    fs::remove_dir_all(&recorder.folder).unwrap();
    journals.clear();
    assert!(more().is_some());
}

#[test]
fn a_tmp_that_is_full_switches_the_recorder_off() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (recorder, _tmp) = recorder();
    assert!(recorder.or_off(Slot::of(full)).is_none() && recorder.is_off());
    assert!(recorder.open("r-1", &span("invocation")).is_none());
    assert!(!recorder.folder.exists(), "nothing is tried again");
}

#[test]
fn a_tmp_that_is_read_only_or_somebody_elses_switches_the_recorder_off() {
    let resource = Resource::default();
    let is_off = |folder: &Path| {
        let recorder = Arc::new(Recorder::new(folder.to_owned(), &resource));
        recorder.open("r-1", &span("invocation")).is_none() && recorder.is_off()
    };
    assert!(is_off(Path::new("/proc/none/hash")), "nothing can be made there");
    let tmp = tempfile::tempdir().unwrap();
    let (elsewhere, ours) = (tmp.path().join("elsewhere"), tmp.path().join("ours"));
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &ours).unwrap();
    assert!(is_off(&ours.join("hash")), "a planted link");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn files_of_earlier_processes_are_removed_the_oldest_first() {
    let (recorder, _tmp) = recorder();
    sandbox::make(&recorder.folder).unwrap();
    for n in 0..20 {
        let file = File::create(recorder.folder.join(format!("recorder-{n:016x}"))).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n)).unwrap();
    }
    File::create(recorder.folder.join("port")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let _journals = (open(&recorder, "r-1"), open(&recorder, "r-2"));
    let left = |n: u64| recorder.folder.join(format!("recorder-{n:016x}")).exists();
    assert_eq!((0..20).filter(|n| left(*n)).collect::<Vec<_>>(), (5..20).collect::<Vec<_>>());
    assert!(recorder.folder.join("port").exists());
}

#[test]
fn it_is_there_in_a_function_and_unless_it_is_switched_off() {
    let recorder = |recorder: Option<&str>, in_lambda: bool| {
        let env = |name: &str| match name {
            "THROUGHLINE_RECORDER" => recorder.map(str::to_owned),
            "AWS_LAMBDA_RUNTIME_API" => in_lambda.then(|| "recorder-test".to_owned()),
            _ => None,
        };
        Recorder::from_env(&env, &Resource::default())
    };
    for on in [None, Some("on"), Some(""), Some("what")] {
        assert!(recorder(on, true).is_some_and(|made| !made.folder.exists()), "{on:?}");
    }
    assert!(recorder(Some(" Off"), true).is_none() && recorder(None, false).is_none());
}
