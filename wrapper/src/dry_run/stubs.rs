//! The answers that the program gives itself.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{Method, Response, Uri};

use crate::diagnostics::guarded;

type Request = dyn Fn(&Method, &Uri) -> Option<Response<Bytes>> + Send + Sync;

static REQUESTS: RwLock<Vec<Arc<Request>>> = RwLock::new(Vec::new());

/// In dry runs, answers the HTTP requests of which `answer` knows: they are not sent. Call it in `main`.
///
/// It is given the method and as much of the address as the client was.
///
/// ```
/// throughline::dry_run::stub_http(|method, uri| {
///     let mails = method == "POST" && uri.host() == Some("mail.example");
///     mails.then(|| http::Response::builder().status(202).body("{}").unwrap_or_default())
/// });
/// ```
pub fn stub_http<B: Into<Bytes>>(
    answer: impl Fn(&Method, &Uri) -> Option<Response<B>> + Send + Sync + 'static,
) {
    let answer = move |method: &Method, uri: &Uri| Some(answer(method, uri)?.map(Into::into));
    REQUESTS.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(answer));
}

/// The program's own answer to a request.
pub(crate) fn for_request(method: &Method, uri: &Uri) -> Option<Response<Bytes>> {
    first(&REQUESTS, |stub| stub(method, uri))
}

/// The first answer. Stubs are the program's code: one that panics has none.
fn first<S: ?Sized, T>(stubs: &RwLock<Vec<Arc<S>>>, ask: impl Fn(&S) -> Option<T>) -> Option<T> {
    // Copied, so that a stub may make calls, and give more stubs, itself.
    let stubs = stubs.read().unwrap_or_else(PoisonError::into_inner).clone();
    stubs.iter().find_map(|stub| guarded("a stub for dry runs", || ask(stub)).flatten())
}

/// In dry runs, answers an operation of an AWS SDK client: `stub_aws!(Client::put_item, |input| output)`. Nothing is sent.
///
/// The closure is given the operation's input and gives its output. Call it in `main`; see the
/// [module](crate::dry_run#stubs) for an example.
#[cfg(feature = "aws")]
#[doc(hidden)]
#[macro_export]
macro_rules! __stub_aws {
    ($operation:expr, $answer:expr $(,)?) => {
        $crate::dry_run::stub_operation(
            |client| $operation(client).as_input().clone().build(),
            |client| $operation(client).send(),
            $answer,
        )
    };
}

#[cfg(feature = "aws")]
pub(crate) use aws::for_operation;
#[cfg(feature = "aws")]
pub use aws::stub_operation;

#[cfg(feature = "aws")]
mod aws {
    use std::fmt::Debug;
    use std::sync::{Arc, PoisonError, RwLock};

    use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};

    type Operation = dyn Fn(&Input) -> Option<Output> + Send + Sync;

    static OPERATIONS: RwLock<Vec<Arc<Operation>>> = RwLock::new(Vec::new());

    /// What `stub_aws!` calls. Of the first two closures, which are never called, it has the types that belong together:
    /// the SDK panics if an output is another operation's.
    pub fn stub_operation<C, I, O, BuildError, SdkError, Sending>(
        _input: impl Fn(&C) -> Result<I, BuildError>,
        _send: impl Fn(&C) -> Sending,
        answer: impl Fn(&I) -> O + Send + Sync + 'static,
    ) where
        I: Debug + Send + Sync + 'static,
        O: Debug + Send + Sync + 'static,
        Sending: Future<Output = Result<O, SdkError>>,
    {
        let answer = move |input: &Input| Some(Output::erase(answer(input.downcast_ref::<I>()?)));
        OPERATIONS.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(answer));
    }

    /// The program's own answer to an operation.
    pub(crate) fn for_operation(input: &Input) -> Option<Output> {
        super::first(&OPERATIONS, |stub| stub(input))
    }
}
