"""Starts a server, lets every client do what it has to do, and prints what came of it. Fails if anything failed."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.parent
CLASS_PATH = os.environ["KAFKA_CLASS_PATH"]
OPERATIONS = ["create", "none", "gzip", "snappy", "lz4", "zstd", "by time", "commit", "describe", "delete"]
CLIENTS = {
    "kafka-clients (Java)": ["java", "-cp", CLASS_PATH, "JavaClient"],
    "confluent-kafka (Python)": [sys.executable, HERE / "python/confluent.py"],
    "kafka-python": [sys.executable, HERE / "python/kafka_python.py"],
    "KafkaJS (Node)": ["node", os.environ["NODE_CLIENT"]],
}


class Server:
    """The example server, on a port of its own."""

    def __init__(self, program, dir):
        args = [program, "--override", f"log.dirs={dir}", "--override", "listeners=PLAINTEXT://127.0.0.1:0"]
        args += ["--override", "num.partitions=4", "--override", "group.initial.rebalance.delay.ms=0"]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"127\.0\.0\.1:\d+", self.process.stdout.readline())[0]

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def outcomes(command, server, topic, log):
    """What a client says of each operation."""
    done = subprocess.run([*command, server, topic], stdout=subprocess.PIPE, stderr=log, text=True, timeout=600)
    lines = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    return {operation: outcome for operation, outcome in lines}


def main(program):
    failed = []
    with tempfile.TemporaryDirectory() as dir:
        server = Server(program, dir)
        log = open(os.environ["CLIENTS_LOG"], "w")
        table = {}
        for number, (client, command) in enumerate(CLIENTS.items()):
            table[client] = outcomes(command, server.address, f"client-{number}", log)
        tools = outcomes([sys.executable, HERE / "python/tools.py"], server.address, "tools", log)
        stopped = server.stop()

    width = max(map(len, CLIENTS))
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
    for tool, outcome in tools.items():
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


main(sys.argv[1])
