// KafkaJS: no codec but gzip by itself, and Snappy with a package beside it.

import kafkajs from "kafkajs";
import SnappyCodec from "kafkajs-snappy";

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec;

const COUNT = 10_000;
const PARTITIONS = 4;
const CODECS = ["none", "gzip", "snappy"];
const FIRST_MS = Date.now() - 3_600_000;
const [server, topic] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [server], logLevel: logLevel.ERROR });
const admin = kafka.admin();

const expect = (isSo, otherwise) => {
  if (!isSo) throw new Error(otherwise);
};

async function operation(name, action) {
  try {
    await action();
    console.log(`${name}\tok`);
  } catch (error) {
    console.error(error);
    console.log(`${name}\t${String(error).replaceAll("\n", " ")}`);
  }
}

const message = (number) => ({
  key: `key-${number % 1000}`,
  value: `value-${number}`.repeat(4),
  headers: { number: [String(number), "again"], empty: "" },
  timestamp: String(FIRST_MS + number),
});

// Reads as a member of a group until `done` says that it is enough.
async function consume(groupId, of, each, autoCommit = false) {
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic: of, fromBeginning: true });
  let timer;
  try {
    await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("nothing comes")), 60_000);
      consumer.run({
        autoCommit,
        eachMessage: async ({ partition, message }) => {
          try {
            if (each(partition, message)) resolve();
          } catch (error) {
            reject(error);
          }
        },
      });
    });
    if (autoCommit) await consumer.commitOffsets([]);
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}

async function thereAndBack(codec, compression) {
  const of = `${topic}-${codec}`;
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  for (let first = 0; first < COUNT; first += 1000) {
    const messages = Array.from({ length: 1000 }, (_, index) => message(first + index));
    await producer.send({ topic: of, compression, messages });
  }
  await producer.disconnect();
  const seen = new Map();
  await consume(`${of}-reader`, of, (partition, received) => {
    const number = Number(received.headers.number[0]);
    const sent = message(number);
    const same =
      String(received.key) === sent.key &&
      String(received.value) === sent.value &&
      received.timestamp === sent.timestamp &&
      String(received.headers.number[1]) === "again" &&
      received.headers.empty.length === 0;
    expect(same, `record ${number} came back as ${JSON.stringify(received)}`);
    seen.set(number, partition);
    return seen.size === COUNT;
  });
}

async function byTime(codec) {
  const found = await admin.fetchTopicOffsetsByTimestamp(`${topic}-${codec}`, FIRST_MS + COUNT / 2);
  const ends = await admin.fetchTopicOffsets(`${topic}-${codec}`);
  const late = ends.reduce((sum, { partition, high }) => {
    return sum + Number(high) - Number(found.find((one) => one.partition === partition).offset);
  }, 0);
  expect(late === COUNT / 2, `${late} records are said to be late`);
}

async function commitAndResume() {
  const of = `${topic}-none`;
  const ends = await admin.fetchTopicOffsets(of);
  const half = ends.map(({ partition, high }) => ({ partition, offset: String(Math.floor(Number(high) / 2)) }));
  await admin.setOffsets({ groupId: `${topic}-group`, topic: of, partitions: half });
  const rest = ends.reduce((sum, { partition, high }) => sum + Number(high) - Number(half[partition].offset), 0);
  let count = 0;
  await consume(`${topic}-group`, of, (partition, received) => {
    expect(Number(received.offset) >= Number(half[partition].offset), "it does not go on where it was");
    count += 1;
    return count === rest;
  });
}

async function describe() {
  const { topics } = await admin.fetchTopicMetadata({ topics: [`${topic}-none`] });
  expect(topics[0].partitions.length === PARTITIONS, JSON.stringify(topics));
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: `${topic}-none` }];
  const described = await admin.describeConfigs({ includeSynonyms: false, resources });
  const policy = described.resources[0].configEntries.find((entry) => entry.configName === "cleanup.policy");
  expect(policy.configValue === "delete", JSON.stringify(policy));
}

async function remove() {
  await admin.deleteTopics({ topics: [`${topic}-none`] });
  expect(!(await admin.listTopics()).includes(`${topic}-none`), "it is still there");
}

await admin.connect();
await operation("create", async () => {
  const topics = CODECS.map((codec) => ({ topic: `${topic}-${codec}`, numPartitions: PARTITIONS }));
  expect(await admin.createTopics({ topics }), "not created");
});
await operation("none", () => thereAndBack("none", CompressionTypes.None));
await operation("gzip", () => thereAndBack("gzip", CompressionTypes.GZIP));
await operation("snappy", () => thereAndBack("snappy", CompressionTypes.Snappy));
console.log("lz4\t-\nzstd\t-");
await operation("by time", async () => {
  for (const codec of CODECS) await byTime(codec);
});
await operation("commit", commitAndResume);
await operation("describe", describe);
await operation("delete", remove);
await admin.disconnect();
