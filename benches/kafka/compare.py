"""Starts brokers one after the other, lets Kafka's performance tools work with each, and prints how they compare.

In every round each broker starts on an empty directory, so that what the machine does besides hits all of them. The
figures that mean something are the ratios of medians; goals are those for the example server against Kafka at its
defaults, which answers acks=all before any device has the records, where ours has synced them. That of throughput is
for clients that aren't the limit themselves."""

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
TOPIC = "perf"
# Each as the tool is told, and how many records of it make a run.
PRODUCED = {"100 B": (100, 1), "1 KiB": (1024, 0.25)}
# By what is in a figure's name.
GOALS = {"records/s": "≥ 2", "p99 ms": "≤ 0.5", "p99, ms": "≤ 0.5", "resident": "≤ 0.1", "start-up": "≤ 0.02"}

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--dir", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--records", type=int, default=2_000_000)
parser.add_argument("--latencies", type=int, default=20_000)
parser.add_argument("--driver", help="a program that measures a broker by itself, in place of Kafka's tools")
args = parser.parse_args()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def java(*command, heap="1G"):
    return ["java", f"-Xmx{heap}", "-cp", CLASS_PATH, *map(str, command)]


class Esker:
    def __init__(self, dir):
        self.dir, self.address = dir, f"127.0.0.1:{free_port()}"

    def command(self):
        of = {"log.dirs": self.dir, "listeners": f"PLAINTEXT://{self.address}"}
        return [args.program, *(word for key, value in of.items() for word in ("--override", f"{key}={value}"))]


class Kafka:
    """With the heap and the collector of its own start script."""

    def __init__(self, dir, more=""):
        self.dir, self.address = dir, f"127.0.0.1:{free_port()}"
        controller = f"127.0.0.1:{free_port()}"
        self.properties = dir.with_suffix(".properties")
        self.properties.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{self.address},CONTROLLER://{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={dir}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
{more}
""")
        format = java("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAQ", "-c", self.properties)
        subprocess.run(format, check=True, capture_output=True)

    def command(self):
        flags = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-Xms1G"]
        run, *rest = java("kafka.Kafka", self.properties)
        return [run, "-server", *flags, *rest]


BROKERS = {
    "esker": Esker,
    "Kafka": Kafka,
    "Kafka, a sync per batch": lambda dir: Kafka(dir, "log.flush.interval.messages=1"),
}


def answers(address):
    """Whether a broker answers ApiVersions, the first that a client asks."""
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            header = struct.pack(">hhih", 18, 0, 1, -1)
            connection.sendall(struct.pack(">i", len(header)) + header)
            return len(connection.recv(6)) == 6
    except OSError:
        return False


@contextmanager
def running(broker):
    """Yields the process once it answers, and how long that took."""
    began = time.monotonic()
    process = subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(broker.address):
            if process.poll() is not None or time.monotonic() - began > 60:
                raise RuntimeError(f"{broker.command()} does not come up")
            time.sleep(0.001)
        yield process, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()


def tool(name, *words):
    os.sync()  # so that no figure pays for what was written before
    done = subprocess.run(java(f"org.apache.kafka.tools.{name}", *words), capture_output=True, text=True, timeout=1200)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def number_in(pattern, text):
    return float(re.findall(pattern, text)[-1].replace(",", ""))


def measure(broker):
    """What one broker does in one round."""
    figures = {}
    with running(broker) as (process, seconds):
        server = ["--bootstrap-server", broker.address]
        figures["start-up, s"] = seconds
        figures["resident when started, MiB"] = resident_mib(process)
        for size, (bytes, share) in PRODUCED.items():
            for acks in ("1", "all"):
                topic = f"{TOPIC}-{bytes}-{acks}"
                tool("TopicCommand", *server, "--create", "--topic", topic, "--partitions", "1")
                printed = tool(
                    "ProducerPerformance", "--topic", topic, "--num-records", int(args.records * share),
                    "--record-size", bytes, "--throughput", -1,
                    "--producer-props", f"bootstrap.servers={broker.address}", f"acks={acks}",
                    f"enable.idempotence={'true' if acks == 'all' else 'false'}",
                )
                figures[f"produce {size}, acks={acks}, records/s"] = number_in(r"([\d.]+) records/sec", printed)
        for size, (bytes, share) in PRODUCED.items():
            count = int(args.records * share)
            printed = tool(
                "ConsumerPerformance", *server, "--topic", f"{TOPIC}-{bytes}-1", "--num-records", count, "--timeout", 60_000,
            )
            row = [float(cell) for cell in printed.strip().splitlines()[-1].split(",")[2:]]
            # data, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s
            figures[f"fetch {size}, records/s"] = row[7]
        for acks in ("1", "all"):
            tool("TopicCommand", *server, "--create", "--topic", f"latency-{acks}", "--partitions", "1")
            printed = tool(
                "EndToEndLatency", *server, "--topic", f"latency-{acks}", "--num-records", args.latencies,
                "--producer-acks", acks, "--record-size", 100,
            )
            low, high, highest = re.search(r"50th = ([\d.]+), 99th = ([\d.]+), 99.9th = ([\d.]+)", printed).groups()
            figures[f"produce to consume, acks={acks}, p50 ms"] = float(low)
            figures[f"produce to consume, acks={acks}, p99 ms"] = float(high)
            figures[f"produce to consume, acks={acks}, p99.9 ms"] = float(highest)
        figures["resident at the end, MiB"] = resident_mib(process)
    return figures


def measure_by_driver(broker):
    """What that program says: a figure a line, its value and its unit."""
    with running(broker):
        done = subprocess.run([args.driver, broker.address], capture_output=True, text=True, timeout=1200)
        if done.returncode != 0:
            raise RuntimeError(f"{args.driver}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
        lines = re.findall(r"^(.+?) {2,}([\d.]+) (\S+)$", done.stdout, re.MULTILINE)
        return {f"{figure}, {unit}": float(value) for figure, value, unit in lines}


def resident_mib(process):
    """What the process has for itself: pages of files that it maps are the kernel's to take back."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024


def main():
    rounds = {name: [] for name in BROKERS}
    for turn in range(args.rounds):
        for name, make in BROKERS.items():
            dir = Path(args.dir) / "data"
            shutil.rmtree(dir, ignore_errors=True)
            rounds[name].append((measure_by_driver if args.driver else measure)(make(dir)))
            shutil.rmtree(dir, ignore_errors=True)
            print(f"round {turn + 1} of {args.rounds}: {name} is measured", flush=True)
    medians = {
        name: {figure: statistics.median(one[figure] for one in all) for figure in all[0]} for name, all in rounds.items()
    }
    print(f"\nmedians of {args.rounds} rounds; ratios are esker's to the other's")
    head = "".join(f"{name:>26}{'ratio':>8}" if name != "esker" else f"{name:>14}" for name in BROKERS)
    width = max(map(len, medians["esker"]))
    print(f"{'':{width}}{'goal':>8}{head}")
    for figure in medians["esker"]:
        ours = medians["esker"][figure]
        cells = f"{next((GOALS[part] for part in GOALS if part in figure), ''):>8}{ours:14,.3f}"
        for name in list(BROKERS)[1:]:
            theirs = medians[name][figure]
            cells += f"{theirs:26,.3f}{ours / theirs if theirs else float('nan'):8.3f}"
        print(f"{figure:{width}}{cells}")


main()
