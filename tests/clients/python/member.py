"""confluent-kafka or kafka-python as a member of a group, which works until it is told to end."""

import signal
import sys

import confluent_kafka
import kafka
from kafka.coordinator.assignors.range import RangePartitionAssignor

from member_log import Writer

kind, server, topic, log_file, *pairs = sys.argv[1:]
config = dict(pair.split("=", 1) for pair in pairs)
log = Writer(log_file)
ending = False


def end(*_):
    global ending
    ending = True


def numbers(partitions):
    return [partition.partition for partition in partitions]


def confluent():
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": server, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        | {"reconnect.backoff.max.ms": 500, "log_level": 0} | config
    )
    consumer.subscribe(
        [topic],
        on_assign=lambda _, partitions: log.own(added=numbers(partitions)),
        on_revoke=lambda _, partitions: log.own(gone=numbers(partitions)),
    )
    while not ending:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            commit = lambda: consumer.commit(message=message, asynchronous=False)
            log.process([(message.partition(), message.offset())], commit, confluent_kafka.KafkaException)
    consumer.close()


class Listener(kafka.ConsumerRebalanceListener):
    is_new = False

    def on_partitions_assigned(self, assigned):
        log.own(added=numbers(assigned))
        self.is_new = True

    def on_partitions_revoked(self, revoked):
        log.own(gone=numbers(revoked))

    def on_partitions_lost(self, lost):
        log.own(gone=numbers(lost))


def kafka_python():
    strategies = {"range": [RangePartitionAssignor]}
    config["partition.assignment.strategy"] = strategies[config["partition.assignment.strategy"]]
    typed = {key: int(value) if key.endswith(".ms") else value for key, value in config.items()}
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=server, enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=20,
        **{key.replace(".", "_"): value for key, value in typed.items()},
    )
    listener = Listener()
    consumer.subscribe([topic], listener=listener)
    while not ending:
        polled = consumer.poll(100)
        if listener.is_new:
            # It would go on where it stood, even if others have had the partition meanwhile, in a generation that it missed.
            listener.is_new = False
            for at in consumer.assignment():
                committed = consumer.committed(at)
                consumer.seek(at, committed) if committed else consumer.seek_to_beginning(at)
            continue
        records = [(at.partition, record.offset) for at, records in polled.items() for record in records]
        if records:
            log.process(records, consumer.commit, kafka.errors.KafkaError)
    consumer.close()


signal.signal(signal.SIGTERM, end)
{"confluent": confluent, "python": kafka_python}[kind]()
