"""Kafka's command-line tools, and kcat: each is a program, and an operation."""

import json
import os
import subprocess
import sys
import tempfile
import time

import command_line
from scenario import CODECS, COUNT, expect, operation

server, topic = sys.argv[1:]
class_path = os.environ["KAFKA_CLASS_PATH"]


def run(command, input=""):
    done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"{command[-1]}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout


def java(tool, *args, input="", server_option="--bootstrap-server"):
    return run(["java", "-cp", class_path, tool, server_option, server, *args], input)


def tool(name, *args, **more):
    return java(f"org.apache.kafka.tools.{name}", *args, **more)


def topics():
    tool("TopicCommand", "--create", "--topic", topic, "--partitions", "3", "--config", "segment.bytes=1048576")
    tool("TopicCommand", "--alter", "--topic", topic, "--partitions", "4")
    described = tool("TopicCommand", "--describe", "--topic", topic)
    expect("PartitionCount: 4" in described and "segment.bytes=1048576" in described, described)
    expect(topic in tool("TopicCommand", "--list").split(), "not listed")
    tool("TopicCommand", "--create", "--topic", f"{topic}-gone")
    tool("TopicCommand", "--delete", "--topic", f"{topic}-gone")
    expect(f"{topic}-gone" not in tool("TopicCommand", "--list").split(), "not deleted")


def line(codec, number):
    return f"number:{number},codec:{codec}\tkey-{number % 1000}\tvalue-{number}"


def console_producer():
    for codec in CODECS:
        lines = "".join(line(codec, number) + "\n" for number in range(COUNT))
        properties = [word for name in ("parse.key", "parse.headers") for word in ("--reader-property", f"{name}=true")]
        tool("ConsoleProducer", "--topic", topic, "--compression-codec", codec, *properties, input=lines)


def console_consumer():
    properties = [word for name in ("print.key", "print.headers") for word in ("--formatter-property", f"{name}=true")]
    printed = java(
        "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", *properties,
        "--max-messages", str(COUNT * len(CODECS)), "--timeout-ms", "30000", "--group", topic,
    )
    sent = sorted(line(codec, number) for codec in CODECS for number in range(COUNT))
    expect(sorted(printed.splitlines()) == sent, f"{len(printed.splitlines())} records: {printed[:500]}")


def configs():
    tool_name = "kafka.admin.ConfigCommand"
    entity = ["--entity-type", "topics", "--entity-name", topic]
    java(tool_name, *entity, "--alter", "--add-config", "retention.ms=12345678,cleanup.policy=[compact,delete]")
    described = java(tool_name, *entity, "--describe")
    expect("retention.ms=12345678" in described and "cleanup.policy=compact,delete" in described, described)
    java(tool_name, *entity, "--alter", "--delete-config", "retention.ms")
    expect("retention.ms=12345678" not in java(tool_name, *entity, "--describe"), "still there")
    expect("log.cleaner.enable" in java(tool_name, "--entity-type", "brokers", "--all", "--describe"), "broker configs")


def group_configs():
    """A group has configs before it has members, and a broker that lists all that have some lists it."""
    tool_name, group = "kafka.admin.ConfigCommand", f"{topic}-configured"
    entity = ["--entity-type", "groups", "--entity-name", group]
    java(tool_name, *entity, "--alter", "--add-config", "consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000")
    java(tool_name, *entity, "--alter", "--delete-config", "consumer.heartbeat.interval.ms")
    described = java(tool_name, "--entity-type", "groups", "--describe")
    expect(group in described and "consumer.session.timeout.ms=50000" in described, described)
    expect("DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000" in described, described)
    expect("consumer.heartbeat.interval.ms=6000" not in described, described)
    command = ["java", "-cp", class_path, tool_name, "--bootstrap-server", server, *entity, "--alter", "--add-config"]
    done = subprocess.run([*command, "consumer.session.timeout.ms=1000"], capture_output=True, text=True, timeout=120)
    expect(done.returncode != 0 and "InvalidConfigurationException" in done.stdout + done.stderr, f"refused: {done}")


def offsets(*args):
    lines = tool("GetOffsetShell", "--topic", topic, *args).split()
    return {int(partition): int(offset) for _, partition, offset in (line.split(":") for line in lines)}


def get_offsets():
    expect(sum(offsets().values()) == COUNT * len(CODECS), offsets())
    ever, later = offsets("--time", "0"), offsets("--time", str(int(time.time() * 1000) + 86_400_000))
    expect(set(ever.values()) == {0} and not later, f"by time: {ever}, {later}")
    expect(set(offsets("--time", "earliest").values()) == {0}, "earliest")
    expect(max(offsets("--time", "max-timestamp").values()) >= 0, "max-timestamp")


def delete_records():
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": -1}]}, file)
        file.flush()
        tool("DeleteRecordsCommand", "--offset-json-file", file.name)
    expect(offsets("--time", "earliest")[0] == offsets()[0], "records are left")


def leader_election():
    elect = lambda *args: tool("LeaderElectionCommand", "--election-type", "preferred", *args)
    expect("Valid replica already elected for partitions" in elect("--topic", topic, "--partition", "0"), "by name")
    expect("Error" not in elect("--all-topic-partitions"), "all")


def log_dirs():
    printed = tool("LogDirsCommand", "--describe", "--topic-list", topic)
    dirs = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    partitions = dirs["brokers"][0]["logDirs"][0]["partitions"]
    expect(len(partitions) == 4 and sum(one["size"] for one in partitions) > 0, printed)


def producer_perf():
    props = ["--producer-props", f"bootstrap.servers={server}"]
    printed = run([
        "java", "-cp", class_path, "org.apache.kafka.tools.ProducerPerformance", "--topic", f"{topic}-perf",
        "--num-records", "50000", "--record-size", "100", "--throughput", "-1", *props,
    ])
    expect("50000 records sent" in printed, printed)


def consumer_perf():
    printed = tool("ConsumerPerformance", "--topic", f"{topic}-perf", "--num-records", "50000")
    # start, end, MB, MB/s, records
    read = printed.splitlines()[-1].split(",")[4]
    expect(read.strip().isdigit() and int(read) >= 50_000, printed)


def verifiable_producer():
    printed = tool("VerifiableProducer", "--topic", f"{topic}-verified", "--max-messages", "1000")
    expect(printed.count('"producer_send_success"') == 1000, printed[-1000:])


def groups():
    command = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    java(command, "--group", topic, "--topic", topic, "--reset-offsets", "--to-earliest", "--execute")
    described = [line.split() for line in java(command, "--group", topic, "--describe").splitlines() if topic in line]
    # group, topic, partition, where it is
    reset = {int(row[2]): int(row[3]) for row in described if row[:2] == [topic, topic]}
    earliest = offsets("--time", "earliest")
    expect(reset == earliest, f"{reset} in the place of {earliest}")
    expect(topic in java(command, "--list").split(), "it is not listed")
    java(command, "--group", topic, "--delete")
    expect(topic not in java(command, "--list").split(), "it is there still")


KCAT_TOPIC = f"{topic}-kcat"


def kcat(*args, input=""):
    return run(["kcat", "-b", server, "-q", *args], input)


def kcat_records():
    for codec in CODECS:
        lines = "".join(f"key-{number}:{codec}-{number}\n" for number in range(COUNT))
        kcat("-P", "-t", KCAT_TOPIC, "-K:", "-z", codec, "-H", f"codec={codec}", input=lines)
    read = kcat("-C", "-t", KCAT_TOPIC, "-e", "-f", "%k:%s:%h\\n").split()
    sent = [f"key-{number}:{codec}-{number}:codec={codec}" for codec in CODECS for number in range(COUNT)]
    expect(sorted(read) == sorted(sent), f"{len(read)} records")
    expect(f'topic "{KCAT_TOPIC}" with 4 partitions' in kcat("-L", "-t", KCAT_TOPIC), "not described")


def kcat_by_time():
    lines = kcat("-C", "-t", KCAT_TOPIC, "-p", "0", "-e", "-f", "%o %T\\n").splitlines()
    times = {int(offset): int(timestamp) for offset, timestamp in map(str.split, lines)}
    distinct = sorted(set(times.values()))
    for timestamp in distinct[:: max(1, len(distinct) // 20)]:
        first = min(offset for offset in times if times[offset] >= timestamp)
        found = kcat("-Q", "-t", f"{KCAT_TOPIC}:0:{timestamp}")
        expect(found.split()[-1] == str(first), f"{found} in the place of {first}")


def kcat_commit():
    def read(*more):
        options = ["-X", "auto.offset.reset=earliest", "-f", "%p:%o\\n", *more]
        return kcat(*options, "-G", f"{KCAT_TOPIC}-group", KCAT_TOPIC).split()

    total = COUNT * len(CODECS)
    first = read("-c", str(total // 2))
    rest = read("-e")
    expect(len(first) == total // 2, f"{len(first)} records at first")
    expect(len(set(first + rest)) == len(first + rest) == total, f"{len(rest)} records in the end")


operation("kafka-topics", topics)
operation("kafka-console-producer", console_producer)
operation("kafka-console-consumer", console_consumer)
operation("kafka-get-offsets", get_offsets)
operation("kafka-configs", configs)
operation("kafka-configs, groups", group_configs)
operation("kafka-consumer-groups", groups)
operation("kafka-delete-records", delete_records)
operation("kafka-leader-election", leader_election)
operation("kafka-log-dirs", log_dirs)
operation("kafka-producer-perf-test", producer_perf)
operation("kafka-consumer-perf-test", consumer_perf)
operation("kafka-verifiable-producer", verifiable_producer)
operation("esker", lambda: command_line.check(server, f"{topic}-esker"))
operation("kcat, records", kcat_records)
operation("kcat, by time", kcat_by_time)
operation("kcat, commit", kcat_commit)
