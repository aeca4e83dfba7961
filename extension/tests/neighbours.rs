//! Beside other extensions of the same folder: the real binary in a layer with one.

mod support;

use support::{Extension, Lambda, invocation_span};

#[tokio::test]
async fn otlp_s_usual_port_is_left_to_a_collector() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("throughline-extension");
    std::fs::copy(env!("CARGO_BIN_EXE_throughline-extension"), &copy).expect("copied");
    std::fs::write(folder.path().join("collector"), "").expect("written");

    let lambda = Lambda::start(&[]).await;
    let mut extension = Extension::start_as(&copy, lambda, &[("THROUGHLINE_LISTEN", "")]).await;

    assert!(extension.port > 4318, "{}", extension.port);
    assert_eq!(extension.hand_over(&[invocation_span("r1", "invocation")]).await, 200);
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["invocation"]);
}
