"""Transactions and Kafka Streams while programs and the server are killed: what comes out is what went in, once.

Each operation starts programs that work until they are killed, kills and restarts them and the server while they do, and
then waits for what must come of it."""

import os
import signal
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from scenario import QUIET, expect

CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
PARTITIONS = 4
# How long it may take until all has come out, on a slow machine.
PATIENCE = 180


class World:
    """A server that can be killed, and programs that work with it."""

    def __init__(self, serve, dir, log):
        self.serve, self.dir, self.log = serve, Path(dir), log
        self.server, self.programs = serve(self.dir / "data", None), {}
        self.address = self.server.address

    def create(self, *topics):
        admin = AdminClient({"bootstrap.servers": self.address} | QUIET)
        for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
            future.result(60)

    def start(self, *program):
        self.programs[program] = subprocess.Popen(
            ["java", "-Xmx256m", "-cp", CLASS_PATH, *map(str, program)], stdout=self.log, stderr=self.log
        )

    def end(self, program, how):
        process = self.programs.pop(program)
        process.send_signal(how)
        process.wait(60)

    def restart(self, how=signal.SIGKILL):
        for program in list(self.programs):
            self.end(program, how)
            self.start(*program)

    def restart_server(self, how=signal.SIGKILL):
        self.server.process.send_signal(how)
        self.server.process.wait(60)
        self.server = self.serve(self.dir / "data", int(self.address.split(":")[1]))

    def tend(self):
        """Starts programs anew that have given up, as whatever runs them would."""
        for program, process in list(self.programs.items()):
            if process.poll() is not None:
                self.start(*program)

    def close(self):
        for program in list(self.programs):
            self.end(program, signal.SIGKILL)
        self.server.process.kill()
        self.server.process.wait(60)

    def until_at_work(self, topic, before):
        """Waits until records come to a topic that had as many as `before`. Returns how many it has now."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "unused"} | QUIET)
        deadline, partitions = time.monotonic() + PATIENCE, [TopicPartition(topic, number) for number in range(PARTITIONS)]
        try:
            while (now := sum(consumer.get_watermark_offsets(one, 10)[1] for one in partitions)) <= before:
                expect(time.monotonic() < deadline, f"{topic}: nothing comes")
                self.tend()
                time.sleep(0.05)
            return now
        finally:
            consumer.close()

    def committed(self, topic, is_done):
        """The committed records of a topic as (key, value), once they are as many as wanted."""
        config = {"bootstrap.servers": self.address, "group.id": f"{topic}-check", "isolation.level": "read_committed"}
        consumer = Consumer(config | {"auto.offset.reset": "earliest", "enable.auto.commit": False} | QUIET)
        consumer.subscribe([topic])
        records, deadline = [], time.monotonic() + PATIENCE
        try:
            while not is_done(records):
                expect(time.monotonic() < deadline, f"{topic}: {len(records)} records, and no more come")
                self.tend()
                for message in consumer.consume(1000, 1):
                    if not message.error():
                        records.append((message.key(), message.value().decode()))
                    elif message.error().fatal():
                        raise RuntimeError(message.error())
            # What is too much would come now.
            records += [(message.key(), message.value().decode()) for message in consumer.consume(1000, 3) if not message.error()]
            return records
        finally:
            consumer.close()


class Feed:
    """Sends to a topic what is to come out elsewhere, a part at a time."""

    def __init__(self, world, topic):
        config = {"bootstrap.servers": world.address, "enable.idempotence": True, "linger.ms": 5}
        self.producer, self.topic = Producer(config | QUIET), topic

    def send(self, values):
        for number, value in enumerate(values):
            self.producer.produce(self.topic, value, key=str(number % 50))
        expect(self.producer.flush(PATIENCE) == 0, "not all was sent")


def transactions(world):
    """Two programs move records within transactions."""
    world.create("moved-from", "moved-to")
    feed, parts, size, moved = Feed(world, "moved-from"), 5, 2000, 0
    for name in "ab":
        world.start("Transfer", world.address, "moved-from", "moved-to", f"transfer-{name}")
    for part in range(parts):
        feed.send(f"record-{number}" for number in range(part * size, (part + 1) * size))
        moved = world.until_at_work("moved-to", moved)
        [world.restart_server, world.restart][part % 2]()
    records = world.committed("moved-to", lambda records: len(records) >= parts * size)
    found = Counter(value for _, value in records)
    wanted = Counter(f"record-{number}" for number in range(parts * size))
    expect(found == wanted, f"missing {list((wanted - found).items())[:5]}, too many {list((found - wanted).items())[:5]}")


WORDS = ["esker", "ridge", "stream", "gravel", "sand", "ice", "water", "stone"]


def lines(part, count):
    return [" ".join(WORDS[(part * 7 + number + step) % len(WORDS)] for step in range(number % 5 + 1)) for number in range(count)]


def word_count(world, guarantee, restart):
    """Kafka Streams counts words. `restart` is what happens between the parts."""
    source, counts, parts = f"lines-{guarantee}", f"counts-{guarantee}", 4
    world.create(source, counts)
    feed, wanted, counted = Feed(world, source), Counter(), 0
    world.start("WordCount", world.address, source, counts, guarantee, world.dir / "state")
    for part in range(parts):
        sent = lines(part, 500)
        feed.send(sent)
        wanted.update(word for line in sent for word in line.split(" "))
        counted = world.until_at_work(counts, counted)
        restart(part)
    def is_done(records):
        counted = counts_in(records)
        return all(counted.get(word, 0) >= count for word, count in wanted.items())

    found = counts_in(world.committed(counts, is_done))
    expect(found == dict(wanted), f"{found} in place of {dict(wanted)}")


def counts_in(records):
    """The last count of each word."""
    return {word.decode(): int(count) for word, count in records}


def with_kills(world):
    def restart(part):
        [world.restart, world.restart_server][part % 2]()

    word_count(world, "exactly_once_v2", restart)


def with_restarts(world):
    """Programs that end in an orderly way count nothing twice, also where that isn't promised."""

    def restart(part):
        [world.restart, world.restart_server][part % 2](signal.SIGTERM)

    word_count(world, "at_least_once", restart)


OPERATIONS = {
    "transactions, with kills": transactions,
    "Streams, exactly once, with kills": with_kills,
    "Streams, at least once": with_restarts,
}


def run(name, serve, dir, log):
    """What came of an operation. `serve` starts a server on a directory and a port."""
    world = World(serve, tempfile.mkdtemp(dir=dir), log)
    try:
        OPERATIONS[name](world)
        return {name: "ok"}
    except Exception as error:
        traceback.print_exc(file=log)
        return {name: f"{type(error).__name__}: {error}".replace("\n", " ")}
    finally:
        world.close()
