"""A function beside our extension under our local host, which freezes both between invocations."""

import json
import os
import subprocess
from pathlib import Path


class Sandbox:
    """A running one. Leave its `with` block to shut it down; `said` has the lines of both processes then."""

    def __init__(self, function, env, timeout_ms=20_000):
        binaries = Path(os.environ["INTEROP_BIN"])
        self._host = subprocess.Popen(
            [binaries / "interop-host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.said = {}
        self._say(
            {
                "function": str(function),
                "extension": str(binaries / "throughline-extension"),
                "env": list(env.items()),
                "timeout_ms": timeout_ms,
            }
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._host.stdin.close()
        self.said = self._hear()
        self._host.wait()

    def invoke(self, event):
        """Invokes the function and waits until the sandbox is at rest: `{"response": …}` or `{"error": its type}`."""
        self._say(event)
        return self._hear()

    def _say(self, line):
        self._host.stdin.write(json.dumps(line) + "\n")
        self._host.stdin.flush()

    def _hear(self):
        line = self._host.stdout.readline()
        assert line, f"the host is gone; exit status {self._host.wait()}"
        return json.loads(line)

    def summary(self):
        """The extension's last line: what became of everything."""
        return json.loads(self.said["extension"][-1])
