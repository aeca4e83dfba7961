//! What a call is called.

use super::Span;

/// Calls over HTTP are called so, as the conventions have it.
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "HTTP", "QUERY"];

/// What a call asks for: two that differ in it are not the same again
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>, <https://opentelemetry.io/docs/specs/semconv/db/>, and
/// those before).
const ASKED: [&str; 8] = [
    "http.request.method",
    "url.full",
    "http.url",
    "http.target",
    "rpc.method",
    "db.operation.name",
    "db.query.text",
    "db.statement",
];

impl Span {
    /// Whether this call was made when another was over, and asks for the same.
    pub(crate) fn asks_again(&self, call: &Self) -> bool {
        self.start >= call.end
            && self.kind == call.kind
            && self.name == call.name
            && self.called() == call.called()
            && ASKED.iter().all(|what| self.attribute(what) == call.attribute(what))
    }

    /// A call by its name; one over HTTP, whose name is a method alone, with the host that was called:
    /// `POST payments.example`.
    #[must_use]
    pub fn called(&self) -> String {
        let is_named = !METHODS.contains(&self.name.as_str());
        let of_url = || {
            let (_, rest) = self.attribute("url.full")?.split_once("://")?;
            let authority = rest.split(['/', '?', '#']).next()?;
            let host = authority.rsplit('@').next()?;
            // The port is what follows the last colon, but not within the brackets of IPv6.
            let port = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
            Some(&host[..port.unwrap_or(host.len())])
        };
        let host =
            self.attribute("server.address").or_else(of_url).filter(|host| !host.is_empty() && !is_named);
        host.map_or_else(|| self.name.clone(), |host| format!("{} {host}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_call_over_http_names_who_was_called() {
        let call = |name: &str, of: &str, said: &str| {
            let attributes = [(of.to_owned(), said.to_owned())].into();
            Span { name: name.to_owned(), attributes, ..Span::default() }.called()
        };
        assert_eq!(call("POST", "server.address", "payments.localhost"), "POST payments.localhost");
        for url in [
            "https://payments.localhost/charges?a=b@c",
            "http://user:secret@payments.localhost:8080",
            "http://payments.localhost#f",
        ] {
            assert_eq!(call("GET", "url.full", url), "GET payments.localhost", "{url}");
        }
        assert_eq!(call("GET", "url.full", "http://[::1]:80/"), "GET [::1]");
        assert_eq!(call("GET", "url.full", "http://[::1]/"), "GET [::1]");
        for (name, of, said) in [
            ("POST", "server.address", ""),
            ("POST", "url.full", "/charges"),
            ("POST", "http.route", "/charges"),
            ("S3/PutObject", "server.address", "s3.localhost"),
        ] {
            assert_eq!(call(name, of, said), name);
        }
    }
}
