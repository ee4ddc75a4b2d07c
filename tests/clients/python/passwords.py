"""All clients with TLS and a password, that of a user whom kafka-configs has made."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = [
    ["java", "-cp", os.environ["KAFKA_CLASS_PATH"], "SecuredClient"],
    [sys.executable, HERE / "secured.py"],
    ["node", Path(os.environ["NODE_CLIENTS"]) / "secured.mjs"],
]
# Making and describing the user, and five clients with three mechanisms.
OPERATIONS = 2 + 5 * 3


def everyone(certificates, dir, serve, outcomes):
    """What came of each client with each mechanism."""
    subprocess.run([certificates, dir], check=True)
    server = serve(dir / "secured", [
        "listeners=SASL_SSL://127.0.0.1:0,PLAINTEXT://127.0.0.1:0",
        f"ssl.keystore.location={dir / 'server.pem'}",
        "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
    ])
    try:
        table = outcomes([sys.executable, HERE / "users.py"], server.addresses[1], "alice")
        for number, command in enumerate(CLIENTS):
            table |= outcomes(command, server.address, f"secured-{number}", dir / "ca.pem")
    finally:
        stopped = server.stop()
    if len(table) != OPERATIONS:
        table["with passwords"] = f"{len(table)} operations came to an end in place of {OPERATIONS}"
    if stopped != 0:
        table["the server with passwords"] = f"ended with {stopped}"
    return table
