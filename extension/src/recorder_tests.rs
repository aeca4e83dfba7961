use super::*;
use crate::buffer::Entry;
use crate::spool::Spool;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use throughline_recorder::testing::{File, invocation, span};

const API: &str = "127.0.0.1:9001";
const MS: u64 = 1_000_000;

struct World {
    tmp: tempfile::TempDir,
    shared: Shared,
    recorders: Recorders,
}

// === impl World ===

impl World {
    fn new() -> Self {
        let tmp = tempfile::tempdir().expect("tmp");
        let recorders = Recorders::new(tmp.path(), API);
        Self { tmp, shared: Shared::new(1 << 20, true), recorders }
    }

    fn folder(&self) -> PathBuf {
        let uid = fs::metadata(self.tmp.path()).expect("made").uid();
        let hash = API.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.tmp.path().join(format!(".throughline-{uid}/{hash:016x}"))
    }

    fn write(&self, number: u8, file: File) -> PathBuf {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder()).expect("made");
        let path = self.folder().join(format!("recorder-{number:016x}"));
        fs::write(&path, file.into_bytes()).expect("written");
        path
    }

    /// The recorder of an invocation of this id that has a call under way.
    fn under_way(&self, number: u8, request_id: &str) -> PathBuf {
        let mut file = File::new(7, request_id);
        file.span(&invocation(request_id, request_id));
        file.span(&span(2, "call"));
        self.write(number, file)
    }

    fn bad_end(&self, request_id: &str, bad_end: BadEnd) {
        self.shared.lock().bad_ends.push(request_id.into(), bad_end);
    }

    /// The invocation spans in the buffer.
    fn told(&self) -> Vec<Span> {
        let read = |entry: &Entry| ExportTraceServiceRequest::decode(entry.bytes.clone()).expect("OTLP");
        let requests: Vec<_> = self.shared.lock().queues[0].entries().map(read).collect();
        let scopes =
            requests.into_iter().flat_map(|request| request.resource_spans).flat_map(|r| r.scope_spans);
        scopes.flat_map(|scope| scope.spans).filter(|span| span.name != "call").collect()
    }

    /// What the function's process hands over of an invocation that [is under way](Self::under_way).
    fn hand_over(&self, request_id: &str) {
        let bytes = handed_over(invocation(request_id, request_id));
        self.shared.received(Signal::Traces, bytes.into(), 1, &[request_id.into()]);
    }

    /// Names, ends in ms, and what they say of their failure.
    fn stories(&self) -> Vec<(String, u64, String)> {
        let story = |span: Span| {
            let message = span.status.map(|status| status.message).unwrap_or_default();
            (span.name, span.end_time_unix_nano / MS, message)
        };
        self.told().into_iter().map(story).collect()
    }
}

fn handed_over(span: Span) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

#[test]
fn a_hand_over_that_was_on_its_way_when_the_process_died_is_not_told_again() {
    let world = World::new();
    world.under_way(1, "killed");
    world.bad_end("killed", Kind::Died.into());
    world.recorders.tell_bad_ends(&world.shared);
    world.hand_over("killed");
    assert_eq!(world.told().len(), 1);
    let summary = world.shared.lock().accounts.summary();
    assert_eq!(summary["spans"]["dropped_why"]["duplicate"], 1);
}

#[test]
fn what_is_in_the_spool_is_not_told_from_the_recorder_that_was_not_cleared() {
    for delivered in [false, true] {
        let world = World::new();
        world.under_way(1, "taken");
        world.under_way(2, "lost");
        let spool = || Spool::new(world.tmp.path(), API, 1 << 20, &["one".into()]);
        let request = handed_over(invocation("taken", "taken"));
        let mut first = spool();
        let ticket = first.write(Signal::Traces, Some("taken"), &request).ticket(0);
        let spooled = world.folder().join("spool-0000000000000000");
        let copy = |to: &str| fs::copy(&spooled, world.folder().join(to)).expect("copied");
        if delivered {
            drop(ticket);
            copy("spool-0000000000000001");
        } else {
            copy("spool-0000000000000001");
            drop(ticket);
        }
        drop(first);
        world.shared.resume(spool());
        world.recorders.tell_orphans(&world.shared);
        let mut told: Vec<String> = world.told().into_iter().map(|span| span.name).collect();
        told.sort();
        assert_eq!(told, if delivered { vec!["lost"] } else { vec!["lost", "taken"] });
        assert!(!world.shared.lock().ends.has_span("taken"), "its retry runs as any other");
        assert_eq!(
            names(Sandbox::find(world.tmp.path(), API).expect("there").folder()).expect("read").len(),
            0
        );
    }
}

#[test]
fn a_function_that_thaws_at_shutdown_and_goes_on_with_its_hand_over_is_not_told_again() {
    let world = World::new();
    world.under_way(1, "frozen");
    world.recorders.tell_all(&world.shared, &BadEnd::of_shutdown("spindown"));
    world.hand_over("frozen");
    assert_eq!(world.told().len(), 1);
}

#[test]
fn what_the_extension_took_before_it_died_is_not_told_from_the_recorder_that_was_not_cleared() {
    let world = World::new();
    let file = world.under_way(1, "taken");
    world.hand_over("taken");
    world.recorders.tell_orphans(&world.shared);
    assert_eq!(world.told().len(), 1);
    assert!(!file.exists());
}

#[test]
fn the_next_attempt_at_a_request_is_another_invocation() {
    let world = World::new();
    world.under_way(1, "r");
    world.recorders.tell_orphans(&world.shared);
    let retried = Span { span_id: vec![9; 8], ..invocation("r", "retried") };
    world.shared.received(Signal::Traces, handed_over(retried).into(), 1, &["r".into()]);
    assert_eq!(world.told().len(), 2);
    world.under_way(1, "r");
    let mut file = File::new(7, "r");
    file.span(&Span { span_id: vec![10; 8], ..invocation("r", "again") });
    world.write(2, file);
    world.bad_end("r", Kind::Died.into());
    world.recorders.tell_bad_ends(&world.shared);
    let names: Vec<_> = world.told().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["r", "retried", "again"], "where INVOKE is not told, only its span tells it apart");
}

#[test]
fn what_a_reset_sandbox_left_is_told_and_its_request_may_come_again() {
    let world = World::new();
    world.recorders.tell_orphans(&world.shared);
    assert!(!world.folder().exists(), "looking makes nothing");
    let files = [world.under_way(1, "r-1"), world.write(2, File::new(0, "handed over"))];
    world.recorders.tell_orphans(&world.shared);
    let told = world.stories();
    assert_eq!((told.len(), told[0].0.as_str()), (1, "r-1"));
    assert!(told[0].2.contains("was reset"), "{told:?}");
    assert!(files.iter().all(|file| !file.exists()));
    let inner = world.shared.lock();
    assert!(!inner.ends.has_span("r-1"), "Lambda tries it again under this id");
    let summary = inner.accounts.summary();
    assert_eq!((&summary["spans"]["received"], &summary["spans"]["kept"]), (&2.into(), &2.into()));
}

#[test]
fn an_invocation_whose_process_is_gone_is_told_once_and_the_others_go_on() {
    let world = World::new();
    let dead = world.under_way(1, "dead");
    let alive = world.under_way(2, "alive");
    let cleared = world.write(3, File::new(0, "handed over"));
    world.recorders.tell_bad_ends(&world.shared);
    assert!(dead.exists(), "nobody has said anything");
    let bad_end = BadEnd::told("error", "Runtime.OutOfMemory", Some(41.0)).expect("gone");
    world.bad_end("dead", bad_end.clone());
    world.recorders.tell_bad_ends(&world.shared);
    let expected = [("dead".into(), 42, "the process ran out of memory and was killed".into())];
    assert_eq!(world.stories(), expected, "it began after 1 ms and ran for 41");
    assert!(!dead.exists() && alive.exists() && cleared.exists());
    assert!(world.shared.lock().ends.has_span("dead"));

    world.under_way(1, "dead");
    world.bad_end("dead", bad_end);
    world.recorders.tell_bad_ends(&world.shared);
    assert_eq!(world.stories(), expected, "its span is there");
    assert!(!dead.exists());
}

#[test]
fn at_shutdown_all_is_told_that_has_not_told_itself() {
    let mut world = World::new();
    world.under_way(1, "slow");
    world.under_way(2, "crashed");
    world.under_way(3, "answered");
    world.under_way(4, "beside");
    world.write(5, File::new(0, "handed over"));
    world.bad_end("crashed", BadEnd::told("failure", "", Some(5.0)).expect("gone"));
    world.hand_over("answered");
    world.recorders.invoked("slow", 3001);
    world.recorders.tell_all(&world.shared, &BadEnd::of_shutdown("timeout"));
    let mut told = world.stories();
    assert_eq!(told.remove(0).0, "answered", "its own account");
    assert_eq!(told[0], ("slow".into(), 3001, "timed out after 3.00 s".into()));
    assert_eq!(told[1], ("crashed".into(), 6, "the process exited or was killed".into()));
    // Nothing is known of its time but when it last wrote, which a test's file does far too late.
    assert_eq!(told[2], ("beside".into(), 2, "timed out".into()));
    assert_eq!((told.len(), fs::read_dir(world.folder()).expect("there").count()), (3, 0));
}

#[test]
fn time_is_over_at_the_latest_invocation_s_deadline() {
    let mut world = World::new();
    let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
    assert!(!world.recorders.is_past_deadline(at(u64::MAX / 2)), "of no invocation");
    world.recorders.invoked("slow", 3000);
    for (now, over) in [(0, false), (2899, false), (2900, true), (3001, true)] {
        assert_eq!(world.recorders.is_past_deadline(at(now)), over, "{now}");
    }
    world.recorders.invoked("next", u64::MAX);
    assert!(!world.recorders.is_past_deadline(at(10_000)));
}

#[test]
fn what_cannot_be_believed_goes_and_harms_nothing() {
    let world = World::new();
    let victim = world.tmp.path().join("victim");
    fs::write(&victim, File::new(7, "r-1").into_bytes()).expect("written");
    world.under_way(1, "r-2");
    let planted = world.folder().join(format!("recorder-{:016x}", 9));
    symlink(&victim, &planted).expect("planted");
    let other = world.folder().join("precious");
    fs::write(&other, "not ours to touch").expect("written");
    fs::write(world.folder().join(format!("recorder-{:016x}", 8)), "THRLREC").expect("written");
    world.recorders.tell_all(&world.shared, &BadEnd::of_shutdown("failure"));
    assert_eq!(world.told().len(), 1);
    assert!(victim.exists() && other.exists() && planted.symlink_metadata().is_err());
}

#[test]
fn a_journal_without_spans_is_no_request() {
    let world = World::new();
    let path = world.write(1, File::new(7, "r-1"));
    world.recorders.tell_orphans(&world.shared);
    assert!(world.told().is_empty() && !path.exists());
    assert_eq!(world.shared.lock().queued(), 0);
}
