//! The middleware for `reqwest`.
//!
//! `reqwest` follows redirects below every middleware, with the headers of the first request. Where baggage may be
//! sent, its redirects must therefore stop at the border between the hosts that may have it and the others: there the
//! middleware itself asks on, without.

use http::header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Extensions, Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};

use super::Resend;
use super::call::Call;
use super::dry_run::{self, KeptBack};
use super::target::Target;
use crate::diagnostics::guarded;
use crate::settings::{Hosts, Settings, process_env};

/// As many redirects as `reqwest` follows by itself.
const MAX_REDIRECTS: usize = 10;

/// The middleware for clients of `reqwest`; see the [module's documentation](super).
///
/// It sends no baggage: by a redirect, `reqwest` would take it to any host. [`client`] and
/// [`with_baggage`](HttpMiddleware::with_baggage) are the ways to send it to the hosts in `THROUGHLINE_BAGGAGE_HOSTS`.
///
/// ```
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(throughline::http::middleware())
///     .build();
/// # drop(client);
/// ```
#[must_use]
pub fn middleware() -> HttpMiddleware {
    HttpMiddleware { baggage: false, border: None }
}

/// A client with the [`middleware`] that sends baggage to the hosts in `THROUGHLINE_BAGGAGE_HOSTS`, and to no other
/// host by a redirect either.
///
/// It follows ten redirects, as `reqwest` does by itself: a policy that was set before is replaced. A redirect from one
/// of the hosts to another that is not named is followed without the baggage if the method is `GET` or `HEAD`; for
/// other methods the redirect itself is the response.
///
/// # Errors
///
/// Those of [`reqwest::ClientBuilder::build`].
///
/// ```
/// let client = throughline::http::client(reqwest::Client::builder())?;
/// // Further middlewares: reqwest_middleware::ClientBuilder::from_client(client).with(…)
/// # drop(client);
/// # Ok::<_, reqwest::Error>(())
/// ```
pub fn client(builder: reqwest::ClientBuilder) -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
    client_within(builder, Settings::from_env(&process_env).baggage_hosts)
}

fn client_within(
    builder: reqwest::ClientBuilder,
    hosts: Hosts,
) -> std::result::Result<ClientWithMiddleware, reqwest::Error> {
    let policy = Policy::limited(MAX_REDIRECTS);
    let border = hosts.clone();
    let within = Policy::custom(move |attempt| {
        let leaves = attempt.previous().first().is_some_and(|from| crosses(&border, from, attempt.url()));
        if leaves { attempt.stop() } else { policy.redirect(attempt) }
    });
    let client = builder.redirect(within).build()?;
    Ok(ClientBuilder::new(client).with(HttpMiddleware { baggage: true, border: Some(hosts) }).build())
}

/// Whether a redirect leads from the hosts that may have the baggage to another.
fn crosses(hosts: &Hosts, from: &Url, to: &Url) -> bool {
    let inside = |url: &Url| url.host_str().is_some_and(|host| hosts.contains(host));
    inside(from) && !inside(to)
}

/// The middleware that [`middleware`] makes.
#[derive(Clone, Debug)]
pub struct HttpMiddleware {
    baggage: bool,
    /// Where the client's own redirects stop.
    border: Option<Hosts>,
}

impl HttpMiddleware {
    /// Sends baggage to the hosts in `THROUGHLINE_BAGGAGE_HOSTS`.
    ///
    /// Only for a client that follows no redirects by itself (`redirect(Policy::none())`): `reqwest` would take the
    /// baggage along to wherever they lead. [`client`] makes one that follows them safely.
    #[must_use]
    pub fn with_baggage(mut self) -> Self {
        self.baggage = true;
        self
    }

    async fn send(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let url = request.url().as_str().parse().unwrap_or_default();
        let kept_back = dry_run::keep_back(request.method(), &url);
        let begun = guarded("tracing of an HTTP request", || {
            let (method, target) = (request.method().clone(), Target::of_url(request.url()));
            let call = Call::begin(&method, &target, request.headers_mut(), extensions, self.baggage);
            call.map(|mut call| {
                call.sends(|capture| capture.take_body(request.body()?.as_bytes()));
                call
            })
        });
        if let Some(kept_back) = kept_back {
            begun.flatten().iter_mut().for_each(|call| call.kept_back(&kept_back));
            return match kept_back {
                KeptBack::Stubbed(response) => Ok(response.into()),
                KeptBack::Refused(refused) => Err(Error::middleware(refused)),
            };
        }
        let sent = extensions.get().map_or(0, |Resend(sent)| *sent);
        extensions.insert(Resend(sent.saturating_add(1)));
        let mut call = begun.flatten();
        let result = next.run(request, extensions).await;
        if let Some(call) = &mut call {
            guarded("tracing of an HTTP response", || match &result {
                Ok(response) => {
                    call.answered(response.status(), response.version());
                    // Nobody but the program reads it.
                    let is_empty = response.content_length() == Some(0);
                    call.got(|capture| capture.take_body(is_empty.then_some(&[])));
                }
                Err(error) => call.failed(kind(error), &causes(error)),
            });
        }
        result
    }
}

#[async_trait::async_trait]
impl Middleware for HttpMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let Some(border) = &self.border else { return self.send(request, extensions, next).await };
        let again = again(&request);
        let response = self.send(request, extensions, next.clone()).await?;
        match again.and_then(|again| redirected(again, &response, border)) {
            Some(request) => self.send(request, extensions, next).await,
            None => Ok(response),
        }
    }
}

/// A request that may be sent again elsewhere, as it is before the context is in it.
fn again(request: &Request) -> Option<Request> {
    matches!(*request.method(), Method::GET | Method::HEAD).then(|| request.try_clone())?
}

/// The request that a redirect asks for, if the client stopped at it because of the border.
fn redirected(mut request: Request, response: &Response, border: &Hosts) -> Option<Request> {
    if !matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    ) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let location = response.url().join(location).ok().filter(|to| crosses(border, request.url(), to))?;
    *request.url_mut() = location;
    // Another host: what `reqwest` too leaves behind on the way there.
    for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE] {
        request.headers_mut().remove(secret);
    }
    Some(request)
}

/// Kinds of failures before, or instead of, a response.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Reqwest(error) if error.is_timeout() => "timeout",
        Error::Reqwest(error) if error.is_connect() => "connect",
        Error::Reqwest(error) if error.is_redirect() => "redirect",
        Error::Reqwest(error) if error.is_request() => "request",
        Error::Reqwest(_) => "_OTHER",
        Error::Middleware(_) => "middleware",
    }
}

/// What lies behind an error. Its own text is left out: it tells the address, secrets and all.
fn causes(error: &Error) -> String {
    let source = match error {
        Error::Reqwest(error) => std::error::Error::source(error),
        Error::Middleware(error) => return error.to_string(),
    };
    let causes = std::iter::successors(source, |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
