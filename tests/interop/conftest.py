"""moto, queues and topics in it, and our two functions."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from lambda_function import Function
from places import REGION, Queue, Stream, bus_to
from wire import Wire

OTHERS = ("AWS_", "DD_", "OTEL_", "THROUGHLINE_", "_X_AMZN_")  # variables of the machine's own
_numbers = itertools.count(1)


def pytest_addoption(parser):
    """For `test_datadog.py`."""
    parser.addoption("--record", metavar="FILE", help="where Datadog's messages are written to, as cases")


@pytest.fixture(scope="session", autouse=True)
def aws(tmp_path_factory):
    """moto's server behind a proxy, to which every AWS client goes, ours and theirs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    with Wire(upstream=port).open() as wire, pytest.MonkeyPatch.context() as env:
        for name in [name for name in os.environ if name.startswith(OTHERS)]:
            env.delenv(name)
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "interop",
            "AWS_SECRET_ACCESS_KEY": "interop",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        }.items():
            env.setenv(name, value)
        log = tmp_path_factory.mktemp("moto") / "log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_for(port, server, log)
            yield wire
        finally:
            server.terminate()
            server.wait()


def wait_for(port, server, log):
    """Until the server takes connections."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            alive = server.poll() is None and time.monotonic() < deadline
            assert alive, f"moto does not start:\n{log.read_text()}"
            time.sleep(0.05)


@pytest.fixture
def wire(aws):
    """The requests that this test makes."""
    aws.clear()
    return aws


@pytest.fixture
def queue():
    """A queue of the test's own."""
    return Queue.create(f"payments-{next(_numbers)}")


@pytest.fixture
def topic(queue):
    """Makes topics that the queue subscribes to, with raw delivery or in an envelope."""

    def make(raw):
        sns = boto3.client("sns")
        arn = sns.create_topic(Name=f"orders-{next(_numbers)}")["TopicArn"]
        attributes = {"RawMessageDelivery": "true"} if raw else {}
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes)
        return arn

    return make


@pytest.fixture
def bus(queue):
    """An event bus whose events come into the queue."""
    return bus_to(queue, f"shop-{next(_numbers)}")


@pytest.fixture
def stream():
    """A stream of the test's own."""
    return Stream.create(f"clicks-{next(_numbers)}")


@pytest.fixture
def machine():
    """A state machine that takes any input."""
    return boto3.client("stepfunctions").create_state_machine(
        name=f"ship-{next(_numbers)}",
        definition=json.dumps({"StartAt": "done", "States": {"done": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/interop",
    )["stateMachineArn"]


@pytest.fixture
def delivery():
    """The name of a delivery stream."""
    name = f"archive-{next(_numbers)}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket = {"RoleARN": "arn:aws:iam::123456789012:role/interop", "BucketARN": f"arn:aws:s3:::{name}"}
    boto3.client("firehose").create_delivery_stream(DeliveryStreamName=name, S3DestinationConfiguration=bucket)
    return name


def function(name, folder, **env):
    """One of our functions, built by `run`."""
    return Function(Path(os.environ["INTEROP_BIN"]) / name, os.environ | env, folder)


@pytest.fixture(scope="session")
def consumer(aws, tmp_path_factory):
    """Our function that processes messages."""
    with function("interop-consumer", tmp_path_factory.mktemp("consumer")) as running:
        yield running


@pytest.fixture
def trusting_consumer(aws, tmp_path):
    """The same behind an API that only our own can call."""
    with function("interop-consumer", tmp_path, THROUGHLINE_TRUST_INBOUND="baggage") as running:
        yield running


@pytest.fixture(scope="session")
def producer(aws, tmp_path_factory):
    """Our function that sends messages."""
    with function("interop-producer", tmp_path_factory.mktemp("producer")) as running:
        yield running
