"""Calls of AWS under the X-Ray SDK, in a process of its own: it patches what it finds for good.

On stdin: the incoming header and the calls as JSON, `[service, method, arguments]` each. What they send is on the wire.
"""

import json
import os
import subprocess
import sys


def call(header, *calls):
    """Runs `calls` in such a process, as in a segment that was called with `header`."""
    command = [sys.executable, __file__]
    request = json.dumps({"header": header, "calls": calls})
    done = subprocess.run(command, env=os.environ, input=request, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def main():
    """The process itself."""
    from aws_xray_sdk.core import patch, xray_recorder
    from aws_xray_sdk.core.models.trace_header import TraceHeader

    patch(["botocore"])
    import boto3

    request = json.load(sys.stdin)
    xray_recorder.configure(service="theirs", sampling=False, emitter=Nowhere())
    incoming = TraceHeader.from_header_str(request["header"])
    segment = xray_recorder.begin_segment(traceid=incoming.root, parent_id=incoming.parent, sampling=incoming.sampled)
    segment.save_origin_trace_header(incoming)
    for service, method, arguments in request["calls"]:
        getattr(boto3.client(service), method)(**arguments)


class Nowhere:
    """In place of what sends segments to X-Ray's daemon."""

    def send_entity(self, _):
        """Keeps it here."""


if __name__ == "__main__":
    main()
