"""Starts a server, lets every client do what it has to do, and prints what came of it. Fails if anything failed."""

import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brokers
import exactly_once
import groups
import odd_requests
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
# KafkaJS has neither codec.
WITHOUT = [("KafkaJS (Node)", "lz4"), ("KafkaJS (Node)", "zstd")]
# Much of the time is spent waiting, for sessions to end above all.
AT_ONCE = 4


class Server:
    """The example server, on a port of its own if none is named."""

    def __init__(self, program, dir, port=None, configs=()):
        port = port or brokers.free_port()
        args = [program, "--override", f"log.dirs={dir}", "--override", f"listeners=PLAINTEXT://127.0.0.1:{port}"]
        args += ["--override", "num.partitions=4", "--override", "group.initial.rebalance.delay.ms=0"]
        args += [arg for config in configs for arg in ("--override", config)]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def clients(program, dir, log):
    """What each client and tool does with one server, and what Kafka makes of its directory."""
    server = Server(program, Path(dir) / "data")
    try:
        # The tools take longest.
        commands = {"tools": [sys.executable, HERE / "python/tools.py"]} | CLIENTS
        with ThreadPoolExecutor(2) as pool:
            run = lambda numbered: outcomes(numbered[1], server.address, f"client-{numbered[0]}", log)
            table = dict(zip(commands, pool.map(run, enumerate(commands.values()))))
        tools = table.pop("tools")
        served = brokers.everything(server.address)
    finally:
        stopped = server.stop()
    if "kcat, commit" not in tools:
        tools["the tools"] = "they did not come to their end"
    if stopped != 0:
        tools["the server"] = f"ended with {stopped}"
    return table, tools | swap(Path(dir) / "data", served, dir, lambda at: Server(program, at), log)


def timed(title, job, log):
    """What a job says, and in the log how long it took."""
    began = time.monotonic()
    try:
        return job()
    finally:
        print(f"{title}: {time.monotonic() - began:.0f} s", file=log, flush=True)


def everything(programs, dir, log):
    """What came of each client and operation, and of all the rest."""
    serve = lambda at, port=None, configs=(): Server(programs / "examples" / "server", at, port, configs)
    with_members = lambda at, port, configs: Server(programs / "members", at, port, configs)
    tell = lambda command, server, topic, *more: outcomes(command, server, topic, log, *more)
    # Those that take longest come first.
    jobs = {"clients": lambda: clients(programs / "examples" / "server", dir, log)}
    jobs |= {name: lambda name=name: groups.run(name, with_members, dir, log) for name in groups.SCENARIOS}
    jobs |= {name: lambda name=name: exactly_once.run(name, serve, dir, log) for name in exactly_once.OPERATIONS}
    jobs["secured"] = lambda: passwords.everyone(
        programs / "certificates", Path(dir), lambda at, configs: serve(at, configs=configs), tell,
    )
    jobs["odd requests"] = lambda: odd_requests.run(programs / "odd_requests", dir, serve, tell, log)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {title: pool.submit(timed, title, job, log) for title, job in jobs.items()}
        table, rows = running.pop("clients").result()
        for job in running.values():
            rows |= job.result()
    return table, rows


def main(programs):
    failed = []
    with tempfile.TemporaryDirectory() as dir, open(os.environ["CLIENTS_LOG"], "w") as log:
        table, rows = everything(programs, dir, log)

    width = max(map(len, [*CLIENTS, *rows]))
    print(" " * width, *OPERATIONS, sep="  ")
    for client, row in table.items():
        cells = []
        for operation in OPERATIONS:
            outcome = row.get(operation, "it says nothing")
            if outcome != ("-" if (client, operation) in WITHOUT else "ok"):
                failed.append(f"{client}, {operation}: {outcome}")
                outcome = "FAILED"
            cells.append(outcome.ljust(len(operation)))
        print(client.ljust(width), *cells, sep="  ")
    print()
    for row, outcome in rows.items():
        print(f"{row.ljust(width)}  {outcome if outcome == 'ok' else 'FAILED'}")
        if outcome != "ok":
            failed.append(f"{row}: {outcome}")
    if failed:
        print("\n" + "\n".join(failed), file=sys.stderr)
        sys.exit(1)


main(Path(sys.argv[1]))
