"""What goes over the wire to AWS: a proxy in front of moto that keeps every request.

moto drops what it has no use for (trace headers) and runs no functions, so a call of Lambda ends here.
"""

import base64
import http.client
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

API = "/api/"  # what begins so is a request to an API of the shop's own
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Request:
    """A call of AWS, as it left the client."""

    operation: str
    headers: dict
    body: bytes
    path: str

    @staticmethod
    def of(path, headers, body):
        """Each of AWS's protocols names the operation at a place of its own."""
        headers = {name.lower(): value for name, value in headers.items()}
        if "x-amz-target" in headers:
            operation = headers["x-amz-target"].rpartition(".")[2]
        elif path.endswith("/invocations"):
            operation = "Invoke"
        elif path.startswith(API):
            operation = "API"
        else:
            operation = parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
        return Request(operation, headers, body, path)

    @property
    def json(self):
        """The body, where it is JSON."""
        return json.loads(self.body)

    @property
    def trace_header(self):
        """AWS's own trace header."""
        return self.headers.get("x-amzn-trace-id")

    @property
    def asynchronous(self):
        """Whether Lambda is asked to invoke later."""
        return self.headers.get("x-amz-invocation-type") == "Event"

    @property
    def client_context(self):
        """What a function gets of it from Lambda: nothing, if it is invoked later."""
        encoded = self.headers.get("x-amz-client-context")
        return json.loads(base64.b64decode(encoded)) if encoded and not self.asynchronous else None

    def invocation(self):
        """What Lambda gives the function that this call invokes, as arguments of `Function.invoke`."""
        given = {"event": json.loads(self.body or b"{}"), "client_context": self.client_context}
        return given | ({"trace_header": self.trace_header} if self.trace_header else {})

    def url_event(self):
        """What a function behind a function URL is invoked with."""
        http = {"method": "GET", "path": self.path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"}
        domain = "ours.lambda-url.eu-west-1.on.aws"
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": self.headers,
            "requestContext": {"domainName": domain, "http": http, "requestId": "r-1", "stage": "$default"},
            "isBase64Encoded": False,
        }


class Wire:
    """The requests of one test."""

    def __init__(self, upstream):
        self._requests = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self._requests, upstream))
        self.port = self._server.server_port

    def clear(self):
        """Forgets what came before."""
        self._requests.clear()

    def requests(self, operation):
        """All requests of an operation."""
        return [request for request in self._requests if request.operation == operation]

    def request(self, operation):
        """The only one of an operation."""
        (request,) = self.requests(operation)
        return request

    @contextmanager
    def open(self):
        """Serves while the block runs."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def handler(requests, upstream):
    """Notes each request and hands it on to the port `upstream`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            request = Request.of(self.path, self.headers, body)
            requests.append(request)
            if request.operation in ("Invoke", "API"):
                self._reply(202 if request.asynchronous else 200, {}, b"" if request.asynchronous else b"{}")
            else:
                self._reply(*self._hand_on(body))

        do_GET = do_PUT = do_POST

        def _hand_on(self, body):
            server = http.client.HTTPConnection("127.0.0.1", upstream, timeout=20)
            try:
                server.request(self.command, self.path, body, dict(self.headers))
                answer = server.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                server.close()

        def _reply(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
