"""Groups of all sorts of members while they come and go, are killed, paused and restarted, and the server is.

Records are produced all the while. However it goes, every record is processed, and what is processed twice was not
committed the first time: see member_log.py."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from member_log import Reader
from scenario import QUIET, expect

HERE = Path(__file__).parent
PARTITIONS = 12
RECORDS_A_SECOND = 100
# How long anything may take on a slow machine.
PATIENCE = 120
# Each takes the server, the topic, its log and Kafka's configs.
PROGRAMS = {
    "java": ["java", "-Xmx128m", "-cp", os.environ["KAFKA_CLASS_PATH"], "Member"],
    "confluent": [sys.executable, HERE / "member.py", "confluent"],
    "python": [sys.executable, HERE / "member.py", "python"],
    "node": ["node", Path(os.environ["NODE_CLIENTS"]) / "member.mjs"],
}
CLASSIC = {"partition.assignment.strategy": "range", "heartbeat.interval.ms": 500}
CONSUMER = {"group.protocol": "consumer"}
# They have a long time to come back in.
STATIC = {"is_static": True, "session_timeout_ms": 60_000}


class Program:
    """A member that is a process."""

    def __init__(self, command, output):
        self.process = subprocess.Popen([*map(str, command)], stdout=output, stderr=output)

    def end(self, how):
        """Tells it to end, which it must do well, or kills it."""
        self.process.send_signal(how)
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        expect(code == (0 if how == signal.SIGTERM else -how), f"it ended with {code}")

    def exit_code(self):
        return self.process.poll()


class Thread:
    """A member in the server's process."""

    def __init__(self, server, name, words):
        self.server, self.name = server, name
        self.order("start", name, *words)

    def order(self, *words):
        self.server.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.server.process.stdin.flush()

    def end(self, how):
        expect(how == signal.SIGTERM, "it goes with its process")
        self.order("stop", self.name)

    def exit_code(self):
        return self.server.process.poll()


class Feed(threading.Thread):
    """Produces numbered records, steadily, until it is stopped."""

    def __init__(self, address, topic):
        super().__init__()
        self.topic, self.stopping = topic, threading.Event()
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5} | QUIET)
        self.sent, self.errors = set(), []
        self.start()

    def run(self):
        number = 0
        while not self.stopping.wait(1 / RECORDS_A_SECOND):
            self.producer.produce(self.topic, str(number), str(number % 97), on_delivery=self.delivered)
            self.producer.poll(0)
            number += 1

    def delivered(self, error, message):
        if error:
            self.errors.append(error)
        else:
            self.sent.add((message.partition(), message.offset()))

    def stop(self):
        """All that was sent, as (partition, offset)."""
        self.stopping.set()
        self.join()
        expect(self.producer.flush(PATIENCE) == 0 and not self.errors, f"not all was sent: {self.errors[:3]}")
        return self.sent


class Group:
    """A server, a topic that is produced to, and those who share it."""

    def __init__(self, name, serve, dir, log, configs=()):
        self.name, self.dir, self.output = name, Path(dir), log
        self.dir.mkdir()
        self.serve = lambda port: serve(self.dir / "data", port, configs)
        self.server = self.serve(None)
        self.address = self.server.address
        self.members, self.logs, self.outcomes, self.feed = {}, {}, {}, None
        self.admin = AdminClient({"bootstrap.servers": self.address} | QUIET)

    def begin(self):
        self.admin.create_topics([NewTopic("shared", PARTITIONS, 1)])["shared"].result(60)
        self.feed = Feed(self.address, "shared")

    def start(self, *names, **more):
        """Starts members, whose names begin with what they are. One that comes again has another log."""
        for name in names:
            log = self.dir / f"{name}.{len(self.logs)}"
            kind, protocol = name.split("-")[0], more.get("protocol", CLASSIC)
            configs = {"group.id": self.name} | protocol
            if protocol is CLASSIC:
                configs["session.timeout.ms"] = more.get("session_timeout_ms", 6000)
            if more.get("is_static"):
                configs["group.instance.id"] = name
            words = ["shared", log, *(f"{key}={value}" for key, value in configs.items())]
            if kind == "thread":
                self.members[name] = Thread(self.server, name, words)
            else:
                self.members[name] = Program([*PROGRAMS[kind], self.address, *words], self.output)
            self.members[name].log = self.logs[log] = Reader(log)
            self.members[name].started = more

    def end(self, *names, how=signal.SIGTERM):
        for name in names:
            member = self.members.pop(name)
            try:
                member.end(how)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error

    @contextmanager
    def paused(self, *names):
        """The others are alone meanwhile."""
        paused = {name: self.members.pop(name) for name in names}
        for member in paused.values():
            member.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for member in paused.values():
                member.process.send_signal(signal.SIGCONT)
            self.members |= paused

    def kill_server(self):
        """Members in its process are killed with it, and come again."""
        self.server.process.kill()
        self.server.process.wait(PATIENCE)
        self.server = self.serve(int(self.address.split(":")[1]))
        for name, member in list(self.members.items()):
            if isinstance(member, Thread):
                self.start(name, **member.started)

    def until(self, is_so, what):
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            codes = {name: member.exit_code() for name, member in self.members.items()}
            dead = {name: code for name, code in codes.items() if code is not None}
            expect(not dead, f"{what}: these ended by themselves, with {dead}")
            owned = {name: sorted(member.log.owned) for name, member in self.members.items()}
            expect(time.monotonic() < deadline, f"{what}: it does not happen, with {owned}")
            time.sleep(0.05)

    def is_shared(self):
        """Whether each partition is one member's, and nobody has more than one more than another."""
        owned = [member.log.read().owned for member in self.members.values()]
        sizes = [len(one) for one in owned]
        return set().union(*owned) == set(range(PARTITIONS)) and sum(sizes) == PARTITIONS and max(sizes) - min(sizes) <= 1

    def settle(self):
        """Waits until the members share the topic, and all of them get on."""
        self.until(self.is_shared, "they share the topic")
        before = {name: len(member.log.committed) for name, member in self.members.items()}
        get_on = lambda: all(len(member.log.committed) > before[name] for name, member in self.members.items())
        self.until(lambda: self.is_shared() and get_on(), "all get on")

    def configure(self, configs):
        """Sets configs of the group, while it is in use."""
        command = ["java", "-cp", os.environ["KAFKA_CLASS_PATH"], "kafka.admin.ConfigCommand", "--alter"]
        command += ["--bootstrap-server", self.address, "--entity-type", "groups", "--entity-name", self.name]
        done = subprocess.run([*command, "--add-config", configs], capture_output=True, text=True, timeout=PATIENCE)
        expect(done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:])

    def become(self, kind):
        """Waits until the group is of a protocol."""
        groups = lambda: self.admin.list_consumer_groups(request_timeout=30).result().valid
        kinds = lambda: [group.type.name.lower() for group in groups() if group.group_id == self.name]
        self.until(lambda: kinds() == [kind], f"it is a {kind} group")

    @contextmanager
    def row(self, title):
        try:
            yield
            self.outcomes[f"{self.name}: {title}"] = "ok"
        except Exception as error:
            self.outcomes[f"{self.name}: {title}"] = f"{type(error).__name__}: {error}".replace("\n", " ")
            raise

    def finish(self):
        """Waits until all is committed, and then looks at what was done twice."""
        sent = self.feed.stop()
        ends = Counter(partition for partition, _ in sent)
        asks = Consumer({"bootstrap.servers": self.address, "group.id": self.name} | QUIET)
        partitions = [TopicPartition("shared", partition) for partition in range(PARTITIONS)]
        committed = lambda: {at.partition: at.offset for at in asks.committed(partitions, 30)}
        self.until(lambda: committed() == ends, "all is committed")
        asks.close()
        self.end(*list(self.members))
        # Those in its process have ended when there are no more orders.
        self.server.process.stdin.close()
        code = self.server.stop()
        expect(code == 0, f"the server and its members ended with {code}")
        processed, in_vain = Counter(), Counter()
        for log in self.logs.values():
            log.read()
            processed.update(record for poll in log.committed for record in poll)
            in_vain.update(record for poll in [*log.refused, log.in_flight] for record in poll)
        missing = sent - processed.keys() - in_vain.keys()
        expect(not missing, f"{len(missing)} of {len(sent)} records were skipped, such as {sorted(missing)[:3]}")
        expect(processed.keys() <= sent, "records were processed that nobody has sent")
        twice = [record for record, times in processed.items() if times > 1]
        expect(not twice, f"{len(twice)} records were committed and came again, such as {sorted(twice)[:3]}")
        print(f"{self.name}: {len(sent)} records, {sum(in_vain.values())} of them processed without a commit", file=self.output)

    def close(self):
        if self.feed:
            self.feed.stopping.set()
        for member in self.members.values():
            if isinstance(member, Program):
                member.process.kill()
                member.process.wait(60)
        self.server.process.kill()
        self.server.process.wait(60)


def classic(group):
    with group.row("they share a topic"):
        group.start("java-1", "confluent-1")
        group.settle()
    with group.row("scale out"):
        group.start("java-2", "confluent-2", "python-1", "python-2", "node-1", "node-2", "thread-1", "thread-2")
        group.settle()
    with group.row("scale in"):
        group.end("confluent-2", "node-2", "thread-2")
        group.settle()
    with group.row("kill -9"):
        group.end("java-2", "python-2", "node-1", how=signal.SIGKILL)
        group.settle()
    with group.row("pause"):
        with group.paused("java-1", "confluent-1", "python-1"):
            group.settle()
        group.settle()
    with group.row("kill -9 of the server"):
        group.kill_server()
        group.settle()


def static(group):
    """Members with names are restarted one after the other, and nobody notices."""
    names = ["java-1", "confluent-1", "python-1", "thread-1"]
    with group.row("they share a topic"):
        group.start(*names, **STATIC)
        group.settle()
    with group.row("rolling restart"):
        for name in names:
            restart(group, name, signal.SIGTERM)
    with group.row("rolling restart by kill -9"):
        for name in names[:3]:
            restart(group, name, signal.SIGKILL)


def restart(group, name, how):
    before = {other: member.log.read().owned_times for other, member in group.members.items()}
    owned, started = group.members[name].log.owned, group.members[name].started
    group.end(name, how=how)
    group.start(name, **started)
    group.settle()
    expect(group.members[name].log.owned == owned, f"{name} has other partitions than before")
    noticed = [other for other in before if other != name and group.members[other].log.owned_times != before[other]]
    expect(not noticed, f"{noticed} noticed that {name} was restarted")


def consumer(group):
    of = {"protocol": CONSUMER}
    with group.row("they share a topic"):
        group.start("java-1", "confluent-1", **of)
        group.settle()
    with group.row("scale out"):
        group.start("java-2", "java-3", "confluent-2", "confluent-3", **of)
        group.settle()
    with group.row("scale in"):
        group.end("java-2", "confluent-2")
        group.settle()
    with group.row("kill -9"):
        group.end("java-3", how=signal.SIGKILL)
        group.settle()
    with group.row("pause"):
        with group.paused("java-1", "confluent-1"):
            group.settle()
        group.settle()
    with group.row("kill -9 of the server"):
        group.kill_server()
        group.settle()


def static_consumer(group):
    """Members with names, by the consumer protocol. Who is killed has its name, which nobody else can have, until its session
    ends; so a group may want it to be short."""
    names, of = ["java-1", "confluent-1", "java-2", "confluent-2"], {"protocol": CONSUMER, "is_static": True}
    with group.row("they share a topic"):
        group.start(*names, **of)
        group.settle()
    with group.row("rolling restart"):
        for name in names:
            restart(group, name, signal.SIGTERM)
    with group.row("kill -9, in shorter sessions"):
        # Not as short as it may be: a Java virtual machine that starts among others takes some seconds.
        group.configure("consumer.session.timeout.ms=12000")
        # Meanwhile the others are heard of, and from then on their sessions are as short as that.
        restart(group, "java-2", signal.SIGTERM)
        killed = ["java-1", "confluent-2"]
        group.end(*killed, how=signal.SIGKILL)
        group.settle()
        group.start(*killed, **of)
        group.settle()


def both(group):
    """A group goes from one protocol to the other and back, while it is in use."""
    with group.row("classic members share a topic"):
        group.start("java-1", "confluent-1", "python-1", "node-1", "thread-1")
        group.settle()
    with group.row("members of the consumer protocol come"):
        group.start("java-2", "java-3", "confluent-2", "confluent-3", protocol=CONSUMER)
        group.settle()
        group.become("consumer")
    with group.row("scale in"):
        group.end("python-1", "java-3")
        group.settle()
    with group.row("kill -9"):
        group.end("node-1", "confluent-2", how=signal.SIGKILL)
        group.settle()
    with group.row("pause"):
        # One of the consumer protocol stays: if none did, the group would be a classic one, and java-2 would be told that there
        # is no such group, as by Kafka, and give up.
        with group.paused("java-1", "java-2"):
            group.settle()
        group.settle()
    with group.row("kill -9 of the server"):
        group.kill_server()
        group.settle()
    with group.row("members of the consumer protocol go"):
        group.end("java-2", "confluent-3")
        group.become("classic")
        group.settle()


# Kafka's are longer, and have bounds from below.
CONSUMER_SESSIONS = [
    f"group.consumer.{bound}{config}" for config in ("session.timeout.ms=6000", "heartbeat.interval.ms=500")
    for bound in ("min.", "")
]
STATIC_SESSIONS = [*CONSUMER_SESSIONS, "group.consumer.session.timeout.ms=60000"]
SCENARIOS = {
    "classic group": (classic, []),
    "both protocols": (both, CONSUMER_SESSIONS),
    "consumer group": (consumer, CONSUMER_SESSIONS),
    "static members": (static, []),
    "static consumer group": (static_consumer, STATIC_SESSIONS),
}


def run(name, serve, dir, log):
    """What came of each part of a scenario. `serve` starts a server on a directory and a port, with configs."""
    scenario, configs = SCENARIOS[name]
    group = Group(name.replace(" ", "-"), serve, Path(dir) / name.replace(" ", "-"), log, configs)
    try:
        with group.row("a topic to share"):
            group.begin()
        scenario(group)
        with group.row("every record, and none committed twice"):
            group.finish()
    except Exception:
        traceback.print_exc(file=log)
    finally:
        group.close()
    return group.outcomes
