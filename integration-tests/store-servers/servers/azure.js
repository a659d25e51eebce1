// Serves Azure Blob Storage with azurite, from memory, on a free port of 127.0.0.1 that it prints. The first argument
// is the name of a container to make. Ends with its standard input.
"use strict";

const { createHmac } = require("node:crypto");
const { EMULATOR_ACCOUNT_NAME: account, EMULATOR_ACCOUNT_KEY: key } = require("azurite/dist/src/blob/utils/constants");

const container = process.argv[2];

// azurite comes without a client that makes a container, so the request is signed here with the account's key.
async function makeContainer(address) {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-08-06" };
  const canonical = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
  const resource = `/${account}/${account}/${container}\nrestype:container`;
  const signed = createHmac("sha256", key).update(`PUT${"\n".repeat(12)}${canonical}${resource}`).digest("base64");
  const authorization = `SharedKey ${account}:${signed}`;
  const made = await fetch(`${address}/${account}/${container}?restype=container`, {
    method: "PUT",
    headers: { ...headers, authorization },
  });
  if (made.status !== 201) throw new Error(`the container was not made: ${made.status} ${await made.text()}`);
}

// azurite tells its address only in a line that it prints.
const print = console.log;
console.log = async (line) => {
  const address = /successfully listens on (http:\S+)/.exec(line)?.[1];
  if (!address) return;
  await makeContainer(address);
  print(new URL(address).port);
};

process.stdin.resume().on("end", () => process.exit());
process.argv.splice(2, 1, "--blobPort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry");
require("azurite/dist/src/blob/main");
