"""What every client has to do, and how it says how that went.

A client is a program that takes `host:port` and the name of a topic of its own, and prints a line for each operation: its
name, a tab, and `ok`, `-` for what the client does not have, or what is wrong.
"""

import sys
import time
import traceback

COUNT = 10_000
PARTITIONS = 4
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# A broker that goes away is nothing to tell about.
QUIET = {"log_level": 0}
# Not so long ago that retention would take what is compared.
FIRST_MS = int(time.time() * 1000) - 3_600_000


def key(number):
    return f"key-{number % 1000}".encode()


def value(number):
    return f"value-{number}".encode() * 4


def headers(number):
    return [("number", str(number).encode()), ("number", b"again"), ("empty", b"")]


def timestamp(number):
    return FIRST_MS + number


def operation(name, action):
    """Does it and says how it went. The operations after one that fails are tried all the same."""
    try:
        action()
        print(f"{name}\tok", flush=True)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        print(f"{name}\t{type(error).__name__}: {error}".replace("\n", " "), flush=True)


def perform(create, there_and_back, by_time, commit_and_resume, describe, delete):
    """All operations of a client that has every codec."""
    operation("create", create)
    for codec in CODECS:
        operation(codec, lambda: there_and_back(codec))
    operation("by time", lambda: [by_time(codec) for codec in CODECS])
    operation("commit", commit_and_resume)
    operation("describe", describe)
    operation("delete", delete)


def expect(is_so, otherwise):
    if not is_so:
        raise AssertionError(otherwise)


def compare(received):
    """Holds records, as (partition, offset, key, value, headers, timestamp), to those that were sent."""
    expect(len(received) == COUNT, f"{len(received)} records in place of {COUNT}")
    by_number, last_in_partition = {}, {}
    for partition, offset, *record in received:
        expect(offset == last_in_partition.get(partition, -1) + 1, f"offset {offset} after {last_in_partition}")
        last_in_partition[partition] = offset
        by_number[int(record[2][0][1])] = record
    for number in range(COUNT):
        sent = [key(number), value(number), headers(number), timestamp(number)]
        expect(by_number.get(number) == sent, f"{by_number.get(number)} in place of {sent}")
    partitions = {}
    for partition, _, record_key, *_ in received:
        expect(partitions.setdefault(record_key, partition) == partition, f"{record_key} is in two partitions")
