//! The smallest runtime: does what the event asks for.

#[path = "http/mod.rs"]
mod http;

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    if std::env::var("TEST_INIT").as_deref() == Ok("fails") {
        let error = br#"{"errorType":"BadInit","errorMessage":"no configuration"}"#;
        http::call(&api, "POST", "/2018-06-01/runtime/init/error", &[], error);
        std::process::exit(1);
    }
    println!("runtime ready");
    let workers = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").map_or(1, |n| n.parse().unwrap());
    std::thread::scope(|threads| {
        for _ in 0..workers {
            threads.spawn(|| work(&api));
        }
    });
}

/// The end of a stream that failed; the body says `{"errorType":"Late","errorMessage":"no more"}`.
const BROKEN: &str = "lambda-runtime-function-error-type: Runtime.StreamError\r\n\
    lambda-runtime-function-error-body: eyJlcnJvclR5cGUiOiJMYXRlIiwiZXJyb3JNZXNzYWdlIjoibm8gbW9yZSJ9\r\n\r\n";

/// Takes more and more memory.
fn eat() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 1024 * 1024]);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Two invocations that run at once meet here.
static MEETING: std::sync::Barrier = std::sync::Barrier::new(2);

fn work(api: &str) {
    loop {
        let event = http::call(api, "GET", "/2018-06-01/runtime/invocation/next", &[], b"");
        let id = event.header("lambda-runtime-aws-request-id").unwrap().to_owned();
        let text = String::from_utf8_lossy(&event.body).into_owned();
        let post = |kind: &str, body: &[u8]| {
            http::call(api, "POST", &format!("/2018-06-01/runtime/invocation/{id}/{kind}"), &[], body)
        };
        let reply = match text.trim_matches('"') {
            "fail" => post("error", br#"{"errorType":"Boom","errorMessage":"as asked"}"#),
            "exit" => std::process::exit(3),
            "abort" => std::process::abort(),
            "eat" => eat(),
            "large" => {
                let reply = post("response", &vec![b'x'; 6 * 1024 * 1024 + 101]);
                assert_eq!(reply.status, 413, "{}", String::from_utf8_lossy(&reply.body));
                continue;
            }
            "stream" | "break off" => {
                let broken = text.contains("break");
                let trailers = if broken { BROKEN } else { "\r\n" };
                let path = format!("/2018-06-01/runtime/invocation/{id}/response");
                println!("stream answered with {}", http::stream(api, &path, b"0123456789", 5, trailers));
                continue;
            }
            "hang" => loop {
                std::thread::park();
            },
            "meet" => {
                MEETING.wait();
                post("response", b"\"met\"")
            }
            "trace" => post("response", event.header("lambda-runtime-trace-id").unwrap().as_bytes()),
            "log" => {
                println!(r#"{{"message":"as JSON"}}"#);
                post("response", b"null")
            }
            "ppid" => post("response", std::os::unix::process::parent_id().to_string().as_bytes()),
            "work-after" => {
                let reply = post("response", b"\"done\"");
                // What a wrapper does between its response and the next event.
                std::thread::sleep(std::time::Duration::from_millis(150));
                println!("worked after the response");
                reply
            }
            _ => post("response", &event.body),
        };
        assert_eq!(reply.status, 202, "{}", String::from_utf8_lossy(&reply.body));
        assert_eq!(post("response", b"again").status, 400, "an invocation is answered once");
    }
}
