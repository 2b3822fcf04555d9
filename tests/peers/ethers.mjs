// What ethers makes of Ethereum payloads: their digests, and of typed data its own text.
// Reads lines of {"format", "payload"} (hexadecimal), writes the same with "digest".
import { readFileSync } from "node:fs";
import { Transaction, TypedDataEncoder, getBytes, hashMessage, toUtf8String } from "ethers";

const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
};

const typedData = (payload) => {
  const { domain, types, message } = JSON.parse(toUtf8String(payload));
  const { EIP712Domain: _, ...own } = types;
  const document = TypedDataEncoder.getPayload(domain, own, message);
  document.domain.chainId = Number(document.domain.chainId); // hexadecimal in ethers' text only
  const text = JSON.stringify(sorted(document));
  if (text !== toUtf8String(payload)) throw new Error(`ethers writes ${text}`);
  return TypedDataEncoder.hash(domain, own, message);
};

const digests = {
  "ethereum.message": (payload) => hashMessage(getBytes(payload)),
  "ethereum.transaction": (payload) => Transaction.from(payload).unsignedHash,
  "ethereum.typed-data": typedData,
};

const lines = readFileSync(0, "utf8").trim().split("\n");
const results = lines.map((line) => {
  const { format, payload } = JSON.parse(line);
  return { format, payload, digest: digests[format](payload) };
});
process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
