"""What members of a group say about their work, each in a file of its own, and how that is read.

A member polls, writes a line for each record that it has got, commits, and writes whether it could. So a record counts as
processed when it is written, and whoever is killed has at most one poll that is not committed.

    time in ms <tab> owned <tab> 0,1,2                 its partitions, whenever they change
    time in ms <tab> processed <tab> partition <tab> offset
    time in ms <tab> committed <tab>                   all that was processed since the last such line
    time in ms <tab> refused <tab> why
"""

import os
import time


class Writer:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.owned = set()

    def write(self, lines):
        now_ms = int(time.time() * 1000)
        os.write(self.file, "".join(f"{now_ms}\t{event}\t{details}\n" for event, details in lines).encode())

    def own(self, added=(), gone=()):
        self.owned = (self.owned | set(added)) - set(gone)
        self.write([("owned", ",".join(map(str, sorted(self.owned))))])

    def process(self, records, commit, errors):
        self.write(("processed", f"{partition}\t{offset}") for partition, offset in records)
        try:
            commit()
            self.write([("committed", "")])
        except errors as error:
            self.write([("refused", repr(error).replace("\n", " "))])


class Reader:
    """Follows what a member says."""

    def __init__(self, path):
        self.path, self.position = path, 0
        self.owned, self.owned_times = set(), 0
        # Records by (partition, offset): those whose commit came to an end, and the others.
        self.committed, self.refused, self.in_flight = [], [], []

    def read(self):
        """Takes in what is new."""
        if not self.path.exists():
            return self
        with open(self.path, "rb") as file:
            file.seek(self.position)
            lines = file.read()
        # A line may not be written to its end yet.
        lines = lines[: lines.rfind(b"\n") + 1]
        self.position += len(lines)
        for line in lines.decode().splitlines():
            _, event, details = line.split("\t", 2)
            if event == "owned":
                self.owned = {int(partition) for partition in details.split(",") if partition}
                self.owned_times += 1
            elif event == "processed":
                self.in_flight.append(tuple(map(int, details.split("\t"))))
            else:
                {"committed": self.committed, "refused": self.refused}[event].append(self.in_flight)
                self.in_flight = []
        return self
