"""Starts a server, lets every client do what it has to do, and prints what came of it. Fails if anything failed."""

import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import brokers
import exactly_once
import passwords

HERE = Path(__file__).parent.parent
CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
OPERATIONS = ["create", "none", "gzip", "snappy", "lz4", "zstd", "by time", "commit", "describe", "delete"]
CLIENTS = {
    "kafka-clients (Java)": ["java", "-cp", CLASS_PATH, "JavaClient"],
    "confluent-kafka (Python)": [sys.executable, HERE / "python/confluent.py"],
    "kafka-python": [sys.executable, HERE / "python/kafka_python.py"],
    "KafkaJS (Node)": ["node", Path(os.environ["NODE_CLIENTS"]) / "client.mjs"],
}


class Server:
    """The example server, on a port of its own if none is named."""

    def __init__(self, program, dir, port=0, configs=()):
        args = [program, "--override", f"log.dirs={dir}", "--override", f"listeners=PLAINTEXT://127.0.0.1:{port}"]
        args += ["--override", "num.partitions=4", "--override", "group.initial.rebalance.delay.ms=0"]
        args += [arg for config in configs for arg in ("--override", config)]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        self.addresses = re.findall(r"127\.0\.0\.1:\d+", self.process.stdout.readline())
        self.address = self.addresses[0]

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def outcomes(command, server, topic, log, *more):
    """What a client says of each operation."""
    done = subprocess.run([*command, server, topic, *more], stdout=subprocess.PIPE, stderr=log, text=True, timeout=600)
    lines = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    return {operation: outcome for operation, outcome in lines}


def swap(our_dir, served, work_dir, serve, log):
    """Kafka on our directory, and we on Kafka's."""
    try:
        kafka_dir, written = brokers.kafka_on_ours(our_dir, served, work_dir, log)
    except Exception as error:
        traceback.print_exc(file=log)
        return {"Kafka on our directory": repr(error)}
    try:
        brokers.ours_on_kafka(kafka_dir, written, work_dir, serve)
    except Exception as error:
        traceback.print_exc(file=log)
        return {"Kafka on our directory": "ok", "we on Kafka's": repr(error)}
    return {"Kafka on our directory": "ok", "we on Kafka's": "ok"}


def main(programs):
    failed, program = [], programs / "server"
    with tempfile.TemporaryDirectory() as dir:
        server = Server(program, Path(dir) / "data")
        log = open(os.environ["CLIENTS_LOG"], "w")
        table = {}
        for number, (client, command) in enumerate(CLIENTS.items()):
            table[client] = outcomes(command, server.address, f"client-{number}", log)
        tools = outcomes([sys.executable, HERE / "python/tools.py"], server.address, "tools", log)
        served = brokers.everything(server.address)
        stopped = server.stop()
        swaps = swap(Path(dir) / "data", served, dir, lambda at: Server(program, at), log)
        killed = exactly_once.run(lambda at, port: Server(program, at, port), dir, log)
        secured = passwords.everyone(
            programs / "certificates", Path(dir), lambda at, configs: Server(program, at, configs=configs),
            lambda command, server, topic, *more: outcomes(command, server, topic, log, *more),
        )

    width = max(map(len, [*CLIENTS, *tools, *swaps, *killed, *secured]))
    print(" " * width, *OPERATIONS, sep="  ")
    for client, row in table.items():
        cells = []
        for operation in OPERATIONS:
            outcome = row.get(operation, "it says nothing")
            if outcome not in ("ok", "-"):
                failed.append(f"{client}, {operation}: {outcome}")
                outcome = "FAILED"
            cells.append(outcome.ljust(len(operation)))
        print(client.ljust(width), *cells, sep="  ")
    print()
    for tool, outcome in (tools | swaps | killed | secured).items():
        print(f"{tool.ljust(width)}  {outcome if outcome == 'ok' else 'FAILED'}")
        if outcome != "ok":
            failed.append(f"{tool}: {outcome}")
    if "kcat" not in tools:
        failed.append("the tools did not come to their end")
    if stopped != 0:
        failed.append(f"the server ended with {stopped}")
    if failed:
        print("\n" + "\n".join(failed), file=sys.stderr)
        sys.exit(1)


main(Path(sys.argv[1]))
