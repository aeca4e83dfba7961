"""Where messages wait, each seen as its event source mapping sees it: without any instrumentation."""

import base64
import json
from dataclasses import dataclass

import boto3

REGION = "eu-west-1"


@dataclass(frozen=True)
class Queue:
    """A queue."""

    name: str
    url: str
    arn: str

    @staticmethod
    def create(name):
        """A new one."""
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return Queue(name, url, attributes["QueueArn"])

    def receive(self):
        """The messages that are there, with all of their attributes."""
        answer = boto3.client("sqs").receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def event(self, messages):
        """The event that Lambda makes of `messages`."""
        return {"Records": [self._record(message) for message in messages]}

    def _record(self, message):
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: sqs_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": REGION,
        }


def sqs_attribute(value):
    """A message attribute as it stands in an event."""
    shown = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown


@dataclass(frozen=True)
class Stream:
    """A Kinesis stream with one shard."""

    name: str
    arn: str

    @staticmethod
    def create(name):
        """A new one."""
        kinesis = boto3.client("kinesis")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return Stream(name, summary["StreamARN"])

    def event(self):
        """The event that Lambda makes of all records."""
        kinesis, shard = boto3.client("kinesis"), "shardId-000000000000"
        start = {"StreamName": self.name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        answer = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])
        return {"Records": [self._record(shard, record) for record in answer["Records"]]}

    def _record(self, shard, record):
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/interop",
            "awsRegion": REGION,
            "eventSourceARN": self.arn,
        }


def bus_to(queue, name):
    """An event bus that hands all events of the source `shop` to a queue."""
    events = boto3.client("events")
    events.create_event_bus(Name=name)
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": queue.arn}])
    return name


def event_of(message):
    """The event that a rule has put into a queue, as a function gets it that is the rule's target itself."""
    return json.loads(message["Body"])


def delivered(stream, records):
    """The event with which a delivery stream has the records of a request transformed."""
    return {
        "invocationId": "i-1",
        "deliveryStreamArn": f"arn:aws:firehose:{REGION}:123456789012:deliverystream/{stream}",
        "region": REGION,
        "records": [
            {"recordId": str(n), "approximateArrivalTimestamp": 1750000000000, "data": record["Data"]}
            for n, record in enumerate(records)
        ],
    }


def notification(message):
    """The event with which a topic invokes a function, made of the envelope that it put into a queue."""
    envelope = json.loads(message["Body"])
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": envelope | {"Subject": envelope.get("Subject")}}
    return {"Records": [record | {"EventSubscriptionArn": f"{envelope['TopicArn']}:subscription"}]}


def notified_id(message):
    """The id under which `notification` has a message."""
    return json.loads(message["Body"])["MessageId"]


def unwrapped(message):
    """A message out of a topic's envelope, as raw delivery would have it; moto loses binary attributes there."""
    envelope = json.loads(message["Body"])
    attributes = {
        name: {"DataType": value["Type"], "BinaryValue": base64.b64decode(value["Value"])}
        if value["Type"] == "Binary"
        else {"DataType": value["Type"], "StringValue": value["Value"]}
        for name, value in envelope["MessageAttributes"].items()
    }
    return message | {"Body": envelope["Message"], "MessageAttributes": attributes}
