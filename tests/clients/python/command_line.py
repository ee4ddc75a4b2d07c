"""Our command line over the network: what it does to a cluster Kafka's own tools see, and it sees what they see."""

import json
import os
import subprocess

from scenario import expect

CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


def esker(address, *args, input=""):
    command = [os.environ["ESKER"], "--bootstrap-server", address, *args]
    done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, f"{args}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout


def rows(address, *args):
    return [json.loads(line) for line in esker(address, *args, "--output", "json").splitlines()]


def check(address, topic):
    """A topic, records and a group, made and looked at by us; and the group as Kafka tells it."""
    group = f"{topic}-group"
    created = rows(address, "topic", "create", topic, "--partitions", "2", "--config", "retention.ms=86400000")
    described = rows(address, "topic", "describe", topic)[0]
    expect((described["id"], len(described["partitions"])) == (created[0]["id"], 2), described)
    retention = [one for one in described["configs"] if one["name"] == "retention.ms"][0]
    expect((retention["value"], retention["source"]) == ("86400000", "DYNAMIC_TOPIC_CONFIG"), retention)

    lines = [f"line {number}" for number in range(1000)]
    text = "".join(f"{line}\n" for line in lines)
    esker(address, "produce", topic, "--partition", "0", "--compression", "zstd", input=text)
    esker(address, "produce", topic, "--key-separator", " ", input=text)
    consumed = esker(address, "consume", topic, "--from-beginning", "--group", group, "--partition", "0")
    expect(consumed.splitlines()[:1000] == lines, "other records, or in another order")
    everything = esker(address, "consume", topic, "--from-beginning", "--isolation-level", "read_committed")
    expect(len(everything.splitlines()) == 2000, "not all of the records")

    esker(address, "group", "reset-offsets", group, "--topic", f"{topic}:1", "--to-earliest", "--execute")
    ours = {one["partition"]: (one["current_offset"], one["log_end_offset"], one["lag"])
            for one in rows(address, "group", "describe", group)}
    expect(group in esker(address, "group", "list").split(), "not listed")
    command = ["java", "-cp", CLASS_PATH, GROUPS, "--bootstrap-server", address, "--group", group, "--describe"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    cells = [line.split() for line in printed.splitlines() if line.startswith(f"{group} ")]
    theirs = {int(one[2]): tuple(map(int, one[3:6])) for one in cells}
    expect(ours == theirs and len(ours) == 2, f"{ours} and {printed}")
