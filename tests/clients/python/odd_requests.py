"""Requests that no client sends, put to Kafka and to our server: see `odd_requests` beside this."""

from pathlib import Path

import brokers

AREAS = ["topics", "configs", "records", "groups"]
# Base64 of any 16 bytes.
CLUSTER_ID = "b2RkLXJlcXVlc3RzLWFzaw"


def run(program, dir, serve, outcomes, log):
    """What came of each area."""
    kafka = brokers.Kafka(Path(dir) / "odd-kafka", log)
    kafka.format(CLUSTER_ID)
    ours = Path(dir) / "odd"
    ours.mkdir()
    # Both are the same node.
    (ours / "meta.properties").write_text(f"version=1\nnode.id=1\ncluster.id={CLUSTER_ID}\n")
    server = serve(ours)
    try:
        with kafka.running():
            said = outcomes([program], server.address, kafka.address)
    finally:
        server.stop()
    return {f"odd requests, {area}": said.get(area, "it says nothing") for area in AREAS}
