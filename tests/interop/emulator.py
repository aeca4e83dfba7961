"""AWS's runtime interface emulator, the one that `sam local` runs: a wrapped function, and our extension where Lambda has it.

It looks for extensions in /opt/extensions, so it gets an /opt of its own, in a mount namespace.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

PATIENCE = 20  # seconds that it may take for a step


class Emulator:
    """A running one. Leave its `with` block to end it as a container ends, with SIGTERM; `said` has all lines then."""

    def __init__(self, function, folder, env):
        binaries = Path(os.environ["INTEROP_BIN"])
        opt = folder / "opt"
        (opt / "extensions").mkdir(parents=True)
        (opt / "extensions" / "throughline-extension").symlink_to(binaries / "throughline-extension")
        with ExitStack() as free:
            sockets = [free.enter_context(socket.socket()) for _ in range(2)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            self._port, self._api = [each.getsockname()[1] for each in sockets]
        inside = (
            f'mount --bind "{opt}" /opt && exec "{os.environ["INTEROP_RIE"]}" --log-level debug '
            f"--runtime-interface-emulator-address 127.0.0.1:{self._port} --runtime-api-address 127.0.0.1:{self._api} "
            f'"{binaries / function}"'
        )
        self._log = folder / "log"
        with self._log.open("wb") as output:
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", inside]
            self._process = subprocess.Popen(
                command, env=os.environ | env, stdout=output, stderr=output, start_new_session=True
            )
        self._wait_for_port()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    @property
    def said(self):
        """The lines of the emulator and its processes."""
        return self._log.read_text().splitlines()

    def invoke(self, event):
        """What the function answers, as JSON."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def subscribe(self):
        """Status and answer of a subscription to the Telemetry API, asked for as the extension does."""
        registered = next(line for line in self.said if "registered, subscribed to" in line)
        identifier = registered.partition("throughline-extension (")[2].partition(")")[0]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._api}/2022-07-01/telemetry",
            json.dumps({"schemaVersion": "2022-12-13", "types": ["platform"]}).encode(),
            {"Lambda-Extension-Identifier": identifier, "Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)

    def _wait_for_port(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                alive = self._process.poll() is None and time.monotonic() < deadline
                assert alive, "the emulator does not start:\n" + "\n".join(self.said)
                time.sleep(0.05)
