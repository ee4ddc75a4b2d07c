"""Apache Kafka and our server on the same files: what the one has written the other serves, record for record."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import command_line
from scenario import QUIET, expect

CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
CHECKPOINTS = ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"]
PORTS = iter(random.sample(range(20_000, 32_000), 1000))
# The broker's own.
HIDDEN = {"__cluster_metadata", "__consumer_offsets", "__transaction_state"}


class Kafka:
    """A broker of Apache Kafka on a directory, which is its own controller."""

    def __init__(self, dir, log):
        self.dir, self.log = Path(dir), log
        ports = [free_port(), free_port()]
        self.address = f"127.0.0.1:{ports[0]}"
        self.properties = self.dir.with_suffix(".properties")
        self.properties.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{ports[1]}
listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{ports[1]}
advertised.listeners=PLAINTEXT://{self.address}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={self.dir}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")

    def format(self, cluster_id):
        self.java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self.properties).wait(60)

    @contextmanager
    def running(self):
        process = self.java("kafka.Kafka", self.properties)
        try:
            once_there(lambda: topics_of(self.address, timeout=2))
            yield
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()
            process.wait()

    def java(self, *args):
        return subprocess.Popen(["java", "-cp", CLASS_PATH, *args], stdout=self.log, stderr=self.log)


def free_port():
    """One that nobody gets twice, and that the system gives to no client while a server is down."""
    while True:
        port = next(PORTS)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def once_there(ask):
    """What `ask` returns, once that isn't None any more."""
    deadline = time.monotonic() + 60
    while (answer := ask()) is None:
        expect(time.monotonic() < deadline, "it does not come up")
    return answer


def topics_of(address, timeout=30):
    """The topics that are not the broker's own, and how many partitions they have. None if it does not answer."""
    try:
        topics = AdminClient({"bootstrap.servers": address} | QUIET).list_topics(timeout=timeout).topics
    except Exception:
        return None
    return {name: len(topic.partitions) for name, topic in topics.items() if name not in HIDDEN}


def first_offset(consumer, partition):
    """None while nobody leads the partition yet."""
    try:
        return consumer.get_watermark_offsets(partition, 5)[0]
    except KafkaException:
        return None


def everything(address):
    """All records of all topics, by topic and partition."""
    topics = topics_of(address)
    config = {"bootstrap.servers": address, "group.id": "unused", "enable.partition.eof": True}
    consumer = Consumer(config | {"auto.offset.reset": "error"} | QUIET)
    left = {(topic, partition) for topic, count in topics.items() for partition in range(count)}
    partitions = [TopicPartition(topic, partition) for topic, partition in left]
    for partition in partitions:
        partition.offset = once_there(lambda: first_offset(consumer, partition))
    consumer.assign(partitions)
    records = {at: [] for at in left}
    while left:
        for message in consumer.consume(1000, 1):
            at = (message.topic(), message.partition())
            if message.error():
                expect(message.error().code() == KafkaError._PARTITION_EOF, message.error())
                left.discard(at)
            else:
                headers = [(key, value) for key, value in message.headers() or []]
                records[at].append((message.offset(), message.timestamp(), message.key(), message.value(), headers))
    consumer.close()
    return records


def compare(theirs, ours):
    expect(theirs.keys() == ours.keys(), f"{theirs.keys() ^ ours.keys()}")
    for at, records in ours.items():
        expect(len(theirs[at]) == len(records), f"{len(theirs[at])} records of {at} in place of {len(records)}")
        for one, other in zip(theirs[at], records):
            expect(one == other, f"{at}: {one} in place of {other}")


def url_safe(uuid):
    """As Kafka writes it, in an alphabet of Base64 that librdkafka does not use."""
    return str(uuid).replace("+", "-").replace("/", "_").rstrip("=")


def put_in(kafka_dir, our_dir, ids):
    """Puts the partitions of our directory in the place of those that Kafka has made for the same topics.

    Kafka's metadata knows them by ids of its own, which go into a file beside each log."""
    for partition in our_dir.iterdir():
        topic = re.fullmatch(r"(.+)-\d+", partition.name)
        if topic and topic[1] in ids:
            place = kafka_dir / partition.name
            shutil.rmtree(place)
            shutil.copytree(partition, place)
            (place / "partition.metadata").write_text(f"version: 0\ntopic_id: {ids[topic[1]]}\n")
    for checkpoint in CHECKPOINTS:
        shutil.copy(our_dir / checkpoint, kafka_dir / checkpoint)


def kafka_on_ours(our_dir, expected, work_dir, log):
    """Kafka serves what our server has written, and goes on with it. Returns its directory, and all that is in it then."""
    kafka = Kafka(Path(work_dir) / "kafka", log)
    cluster_id = re.search(r"cluster.id=(.+)", (our_dir / "meta.properties").read_text())[1]
    kafka.format(cluster_id)
    counts = {}
    for topic, partition in expected:
        counts[topic] = max(counts.get(topic, 0), partition + 1)
    with kafka.running():
        admin = AdminClient({"bootstrap.servers": kafka.address} | QUIET)
        for future in admin.create_topics([NewTopic(topic, count, 1) for topic, count in counts.items()]).values():
            future.result(60)
        described = admin.describe_topics(TopicCollection(list(counts)))
        ids = {topic: url_safe(future.result(60).topic_id) for topic, future in described.items()}

    put_in(kafka.dir, our_dir, ids)
    with kafka.running():
        compare(everything(kafka.address), expected)
        producer = Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True, "compression.type": "zstd"} | QUIET)
        for number in range(1000):
            producer.produce(sorted(counts)[number % len(counts)], f"from Kafka, {number}")
        expect(producer.flush(60) == 0, "not all was sent")
        command_line.check(kafka.address, "esker-on-kafka")
        return kafka.dir, everything(kafka.address)


def ours_on_kafka(kafka_dir, expected, work_dir, serve):
    """Our server serves what Kafka has written."""
    copy = Path(work_dir) / "ours-again"
    shutil.copytree(kafka_dir, copy, ignore=shutil.ignore_patterns("__cluster_metadata-0", "bootstrap.checkpoint"))
    server = serve(copy)
    try:
        compare(everything(server.address), expected)
    finally:
        expect(server.stop() == 0, "the server did not end well")
