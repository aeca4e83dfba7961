use proptest::prelude::*;

use super::*;

fn row(branch: &str, label: &str, start: f64, millis: f64) -> Row {
    Row {
        branch: branch.into(),
        label: label.into(),
        trigger: "sqs email".into(),
        waited: None,
        start,
        millis,
        note: None,
        error: None,
        is_call: false,
    }
}

fn plain(width: usize, rows: &[Row]) -> Vec<String> {
    paint(rows, Style { width, colour: false })
}

#[test]
fn columns_line_up_and_bars_show_when() {
    let mut late = row("   └─ ", "email-sender", 50.0, 50.0);
    late.waited = Some(1200.0);
    let lines = plain(75, &[row("└─ ", "checkout-api", 0.0, 50.0), late]);
    assert_eq!(
        lines,
        [
            "└─ checkout-api     sqs email                   50 ms  ██████████",
            "   └─ email-sender  sqs email  waited 1.20 s    50 ms            ██████████",
        ]
        .map(|line| line.replace("██████████", &"█".repeat(10)))
        .map(|line| line.trim_end().to_owned())
    );
}

#[test]
fn a_narrow_terminal_has_no_bars() {
    let lines = plain(40, &[row("└─ ", "checkout-api", 0.0, 50.0)]);
    assert!(!lines[0].contains('█'), "{lines:?}");
    assert!(lines[0].ends_with("50 ms"));
}

#[test]
fn colours_only_when_wanted() {
    let mut failed = row("└─ ", "email-sender", 0.0, 5.0);
    failed.error = Some("SmtpRejected: 550\nsecond line".into());
    let plain = plain(100, std::slice::from_ref(&failed));
    assert!(plain[0].ends_with("✗ SmtpRejected: 550"), "{plain:?}");
    assert!(!plain[0].contains('\x1b'));
    let coloured = paint(&[failed], Style { width: 100, colour: true });
    assert!(coloured[0].contains("\x1b[31m"));
}

#[test]
fn what_functions_wrote_is_harmless() {
    let mut hostile = row("└─ ", "a\x1b[2J", 0.0, 5.0);
    hostile.trigger = "sqs \u{202e}q".into();
    hostile.error = Some("\x1b]0;title\x07".into());
    let lines = plain(100, &[hostile]);
    assert!(!lines[0].chars().any(|c| c.is_control() || c == '\u{202e}'), "{lines:?}");
}

#[test]
fn durations_read_well() {
    let read = [0.42, 8.4, 130.0, 1200.0, 120_000.0].map(duration);
    assert_eq!(read, ["0.4 ms", "8 ms", "130 ms", "1.20 s", "120 s"]);
}

#[test]
fn every_row_fits_its_bar() {
    for (start, millis) in [(0.0, 0.0), (99.9, 0.1), (100.0, 0.0), (0.0, 100.0)] {
        assert_eq!(bar(&row("", "f", start, millis), 100.0, 10).chars().count(), 10);
    }
}

#[test]
fn in_a_narrow_terminal_what_is_told_of_a_row_stands_below_it() {
    let mut api = row("└─ ", "checkout-api", 0.0, 50.0);
    api.trigger = "POST /orders".into();
    api.note = Some("cold start".into());
    let mut worker = row("   ├─ ", "payment-worker", 50.0, 50.0);
    worker.trigger = "sns orders → sqs payments".into();
    worker.waited = Some(1200.0);
    worker.error = Some("Sandbox.Timedout: timed out after 1.00 s".into());
    let rows = [api, worker, row("   └─ ", "email-sender", 60.0, 5.0)];
    assert_eq!(
        plain(80, &rows),
        [
            "└─ checkout-api         50 ms  ███████████████",
            "   POST /orders  cold start",
            "   ├─ payment-worker    50 ms                ██████████████",
            "   │  sns orders → sqs payments  waited 1.20 s",
            "   │  ✗ Sandbox.Timedout: timed out after 1.00 s",
            "   └─ email-sender       5 ms                  ██",
            "      sqs email",
        ]
    );
    assert_eq!(
        plain(36, &rows),
        [
            "└ checkout-api       50 ms  ████",
            "  POST /orders  cold start",
            " ├ payment-worker    50 ms      ████",
            " │ sns orders → sqs payments",
            " │ waited 1.20 s",
            " │ ✗ Sandbox.Timedout: timed out",
            " │ after 1.00 s",
            " └ email-sender       5 ms      █",
            "   sqs email",
        ]
    );
}

#[test]
fn of_many_levels_the_last_are_drawn() {
    let branch = "│  ".repeat(50) + "└─ ";
    let lines = plain(40, &[row(&branch, "email-sender", 0.0, 5.0)]);
    assert_eq!(lines, ["…││││││││││││││││└ email-sender     5 ms", " ││││││││││││││││  sqs email"]);
}

fn any_row() -> impl Strategy<Value = Row> {
    let text = || prop_oneof!["[a-z]{0,14}", ".{0,40}", "[名é ]{0,60}"];
    let time = || prop_oneof![0.0..1e5, Just(0.0), Just(1e15)];
    let said = (prop::option::of(time()), prop::option::of(text()), prop::option::of(text()));
    (0..70_usize, text(), text(), time(), time(), said, any::<bool>()).prop_map(
        |(depth, label, trigger, start, millis, (waited, note, error), is_call)| Row {
            branch: "│  ".repeat(depth) + "├╌ ",
            label,
            trigger,
            waited,
            start,
            millis,
            note,
            error,
            is_call,
        },
    )
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(rows in prop::collection::vec(any_row(), 0..6), width in 20..200_usize) {
        for line in plain(width, &rows) {
            prop_assert!(console::measure_text_width(&line) <= width, "{width}: {line:?}");
        }
    }
}
