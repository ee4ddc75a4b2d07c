"""kafka-configs makes a user, whose password it is that the secured clients know."""

import os
import subprocess
import sys

from scenario import expect, operation

server, user = sys.argv[1:]


def make_user():
    command = ["java", "-cp", os.environ["KAFKA_CLASS_PATH"], "kafka.admin.ConfigCommand", "--bootstrap-server", server]
    command += ["--alter", "--entity-type", "users", "--entity-name", user, "--add-config"]
    command += [",".join(f"{mechanism}=[password={user}-secret]" for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:])


operation("kafka-configs, users", make_user)
