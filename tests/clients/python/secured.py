"""confluent-kafka, kafka-python and our command line with TLS and a password."""

import sys
import tempfile

import kafka
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from command_line import esker
from scenario import expect, operation

server, topic, authority = sys.argv[1:]
USER, PASSWORD, WRONG = "alice", "alice-secret", "wrong"


def confluent(mechanism, password):
    return {
        "bootstrap.servers": server, "security.protocol": "SASL_SSL", "ssl.ca.location": authority,
        "sasl.mechanism": mechanism, "sasl.username": USER, "sasl.password": password,
    }


def with_confluent(mechanism):
    of = f"{topic}-confluent-{mechanism}"
    producer = Producer(confluent(mechanism, PASSWORD))
    producer.produce(of, "value", partition=0)
    expect(producer.flush(30) == 0, "not sent")
    consumer = Consumer(confluent(mechanism, PASSWORD) | {"group.id": "unused"})
    consumer.assign([TopicPartition(of, 0, 0)])
    message = consumer.poll(30)
    expect(message is not None and message.value() == b"value", message and message.error())
    consumer.close()
    errors = []
    refused = Producer(confluent(mechanism, WRONG) | {"error_cb": errors.append})
    for _ in range(300):
        refused.poll(0.1)
        if any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            return
    raise AssertionError(f"a wrong password: {errors}")


def kafka_python(mechanism):
    return {
        "bootstrap_servers": server, "security_protocol": "SASL_SSL", "ssl_cafile": authority,
        "sasl_mechanism": mechanism, "sasl_plain_username": USER, "sasl_plain_password": PASSWORD,
    }


def with_kafka_python(mechanism):
    of = f"{topic}-kafka-python-{mechanism}"
    producer = kafka.KafkaProducer(**kafka_python(mechanism))
    producer.send(of, b"value", partition=0).get(30)
    producer.close()
    consumer = kafka.KafkaConsumer(**kafka_python(mechanism), auto_offset_reset="earliest")
    consumer.assign([kafka.TopicPartition(of, 0)])
    records = [record.value for batch in consumer.poll(30_000).values() for record in batch]
    expect(records == [b"value"], records)
    consumer.close()
    # It takes half a minute to see that a password is wrong; the others have shown that it is refused.


def with_esker(mechanism):
    of = f"{topic}-esker-{mechanism}"
    with tempfile.NamedTemporaryFile("w") as config:
        module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        config.write(f"""
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.mechanism={mechanism}
sasl.jaas.config=org.apache.kafka.common.security.{module} required username="{USER}" password="{PASSWORD}";
""")
        config.flush()
        run = lambda *args, input="": esker(server, "--command-config", config.name, *args, input=input)
        run("topic", "create", of)
        run("produce", of, input="value\n")
        consumed = run("consume", of, "--from-beginning")
        expect(consumed == "value\n", consumed)


for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]:
    operation(f"confluent-kafka, {mechanism}", lambda: with_confluent(mechanism))
    operation(f"kafka-python, {mechanism}", lambda: with_kafka_python(mechanism))
    operation(f"esker, {mechanism}", lambda: with_esker(mechanism))
