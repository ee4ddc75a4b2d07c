"""kafka-python: a client of its own, in Python."""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.structs import OffsetAndMetadata

from scenario import *

server, topic = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=server)


def name(codec):
    return f"{topic}-{codec}"


def of(codec):
    return [TopicPartition(name(codec), partition) for partition in range(PARTITIONS)]


def consumer(group=None):
    return KafkaConsumer(
        bootstrap_servers=server, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
    )


def up_to_the_end(one, partitions):
    ends, records = one.end_offsets(partitions), []
    while any(one.position(partition) < ends[partition] for partition in partitions):
        polled = one.poll(30_000)
        expect(polled, "nothing comes")
        records += [record for batch in polled.values() for record in batch]
    return records


def create():
    admin.create_topics([NewTopic(name(codec), PARTITIONS, 1) for codec in CODECS])


def there_and_back(codec):
    producer = KafkaProducer(bootstrap_servers=server, compression_type=None if codec == "none" else codec, linger_ms=5)
    sent = [
        producer.send(name(codec), value(number), key(number), headers(number), timestamp_ms=timestamp(number))
        for number in range(COUNT)
    ]
    producer.flush(60)
    for future in sent:
        future.get(60)
    producer.close()
    one = consumer()
    one.assign(of(codec))
    one.seek_to_beginning()
    records = up_to_the_end(one, of(codec))
    compare([(r.partition, r.offset, r.key, r.value, list(r.headers), r.timestamp) for r in records])


def by_time(codec):
    one = consumer()
    one.assign(of(codec))
    for partition, found in one.offsets_for_times({one: timestamp(COUNT // 2) for one in of(codec)}).items():
        expect(found.timestamp >= timestamp(COUNT // 2), f"{found} is too early")
        one.seek(partition, found.offset)
    late = up_to_the_end(one, of(codec))
    expect(len(late) == COUNT // 2, f"{len(late)} records")


def commit_and_resume():
    first = consumer("kafka-python")
    first.assign(of("none"))
    some = []
    while len(some) < COUNT // 2:
        some += [record for batch in first.poll(30_000, max_records=500).values() for record in batch]
    ends = {partition: first.position(partition) for partition in of("none")}
    first.commit({partition: OffsetAndMetadata(end, "so far", -1) for partition, end in ends.items()})
    first.close()
    second = consumer("kafka-python")
    second.assign(of("none"))
    for partition, end in ends.items():
        expect(second.committed(partition) == end, f"{second.committed(partition)} in place of {end}")
    expect(len(up_to_the_end(second, of("none"))) == COUNT - len(some), "not the rest")
    second.close()


def describe():
    described = admin.describe_topics([name("none")])
    expect(len(described[0]["partitions"]) == PARTITIONS, described)
    configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name("none"))], config_filter="all")
    expect("cleanup.policy" in str(configs), configs)


def delete():
    admin.delete_topics([name("none")])
    expect(name("none") not in admin.list_topics(), "it is still there")


perform(create, there_and_back, by_time, commit_and_resume, describe, delete)
