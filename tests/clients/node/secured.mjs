// KafkaJS with TLS and a password.

import { readFileSync } from "node:fs";
import kafkajs from "kafkajs";

const { Kafka, logLevel } = kafkajs;
const [server, topic, authority] = process.argv.slice(2);

const client = (mechanism, password) =>
  new Kafka({
    brokers: [server],
    ssl: { ca: [readFileSync(authority)] },
    sasl: { mechanism, username: "alice", password },
    retry: { retries: 3 },
    logLevel: logLevel.NOTHING,
  });

async function thereAndBack(kafka, of) {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: of, messages: [{ value: "value", partition: 0 }] });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: of });
  await consumer.connect();
  await consumer.subscribe({ topic: of, fromBeginning: true });
  let timer;
  try {
    const value = await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("nothing comes")), 60_000);
      consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) });
    });
    if (value !== "value") throw new Error(`${value} came back`);
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
}

async function wrong(kafka) {
  const admin = kafka.admin();
  try {
    await admin.connect();
  } catch (error) {
    if (error.name === "KafkaJSSASLAuthenticationError" || /SASL/.test(error.message)) return;
    throw error;
  }
  throw new Error("a wrong password is taken");
}

for (const mechanism of ["scram-sha-256", "scram-sha-512", "plain"]) {
  const name = `KafkaJS, ${mechanism.toUpperCase()}`;
  try {
    await thereAndBack(client(mechanism, "alice-secret"), `${topic}-${mechanism}`);
    await wrong(client(mechanism, "wrong"));
    console.log(`${name}\tok`);
  } catch (error) {
    console.error(error);
    console.log(`${name}\t${String(error).replaceAll("\n", " ")}`);
  }
}
