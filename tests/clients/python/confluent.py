"""confluent-kafka: librdkafka with all of its codecs."""

import sys

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from scenario import *

server, topic = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": server})


def result(futures):
    return [future.result(30) for future in futures.values()]


def name(codec):
    return f"{topic}-{codec}"


def consumer(group="unused", **settings):
    return Consumer(
        {"bootstrap.servers": server, "group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
        | {"auto.offset.reset": "earliest"} | settings
    )


def everything(one, of, offset=0):
    """All records from an offset of each partition on."""
    one.assign([TopicPartition(of, partition, offset) for partition in range(PARTITIONS)])
    messages, at_end = [], set()
    while len(at_end) < PARTITIONS:
        message = one.poll(30)
        expect(message is not None, "nothing comes")
        if message.error():
            expect(message.error().code() == KafkaError._PARTITION_EOF, message.error())
            at_end.add(message.partition())
        else:
            messages.append(message)
    return messages


def create():
    result(admin.create_topics([NewTopic(name(codec), PARTITIONS, 1) for codec in CODECS]))


def there_and_back(codec):
    failed = []
    producer = Producer({"bootstrap.servers": server, "compression.type": codec, "linger.ms": 5})
    for number in range(COUNT):
        producer.produce(
            name(codec), value(number), key(number), headers=headers(number), timestamp=timestamp(number),
            on_delivery=lambda error, _: error and failed.append(error),
        )
        producer.poll(0)
    expect(producer.flush(60) == 0 and not failed, failed)
    compare([
        (m.partition(), m.offset(), m.key(), m.value(), m.headers(), m.timestamp()[1])
        for m in everything(consumer(), name(codec))
    ])


def by_time(codec):
    one = consumer()
    asked = [TopicPartition(name(codec), partition, timestamp(COUNT // 2)) for partition in range(PARTITIONS)]
    for found in one.offsets_for_times(asked, 30):
        one.assign([TopicPartition(found.topic, found.partition, found.offset)])
        message = one.poll(30)
        expect(message.timestamp()[1] >= timestamp(COUNT // 2), f"{message.timestamp()} is too early")
        if found.offset > 0:
            one.assign([TopicPartition(found.topic, found.partition, found.offset - 1)])
            message = one.poll(30)
            expect(message.timestamp()[1] < timestamp(COUNT // 2), f"{message.timestamp()} was to be found")


def commit_and_resume():
    first = consumer("confluent")
    some = everything(first, name("none"))[: COUNT // 2]
    ends = {message.partition(): message.offset() + 1 for message in some}
    first.commit(offsets=[TopicPartition(name("none"), *end, metadata="so far") for end in ends.items()], asynchronous=False)
    first.close()
    second = consumer("confluent")
    committed = second.committed([TopicPartition(name("none"), partition) for partition in ends], 30)
    expect({one.partition: one.offset for one in committed} == ends, committed)
    expect(all(one.metadata == "so far" for one in committed), committed)
    from confluent_kafka import OFFSET_STORED
    expect(len(everything(second, name("none"), OFFSET_STORED)) == COUNT - len(some), "not the rest")
    second.close()


def describe():
    described = admin.list_topics(name("none"), 30).topics[name("none")]
    expect(len(described.partitions) == PARTITIONS, described.partitions)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name("none"))
    configs = result(admin.describe_configs([resource]))[0]
    expect(configs["cleanup.policy"].value == "delete", configs)


def delete():
    result(admin.delete_topics([name("none")], operation_timeout=30))
    expect(name("none") not in admin.list_topics(timeout=30).topics, "it is still there")


perform(create, there_and_back, by_time, commit_and_resume, describe, delete)
