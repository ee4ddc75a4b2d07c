"""kafka-configs makes a user, whose password it is that the secured clients know."""

import os
import subprocess
import sys

from scenario import expect, operation

server, user = sys.argv[1:]


MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-512"]


def configs(*arguments):
    command = ["java", "-cp", os.environ["KAFKA_CLASS_PATH"], "kafka.admin.ConfigCommand", "--bootstrap-server", server]
    command += ["--entity-type", "users", "--entity-name", user, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:])
    return done.stdout


def make_user():
    configs("--alter", "--add-config", ",".join(f"{mechanism}=[password={user}-secret]" for mechanism in MECHANISMS))


def describe_user():
    said = configs("--describe")
    for mechanism in MECHANISMS:
        expect(f"{mechanism}=iterations=" in said, said)
    expect("Quota" not in said, said)


operation("kafka-configs, users", make_user)
operation("kafka-configs, users described", describe_user)
