// What ethers makes of Ethereum payloads: their digests, and what it reads in a transaction.
// Reads lines of {"format", "name", "payload"} (the payload in hexadecimal).
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
  return { digest: TypedDataEncoder.hash(domain, own, message) };
};

const BLOB_GAS = 131072n; // of each blob

const transaction = (payload) => {
  const read = Transaction.from(payload);
  if (read.unsignedSerialized !== payload) throw new Error(`ethers writes ${read.unsignedSerialized}`);
  const blobs = BigInt(read.blobVersionedHashes?.length ?? 0) * BLOB_GAS;
  const fee = read.gasLimit * (read.maxFeePerGas ?? read.gasPrice);
  return {
    digest: read.unsignedHash,
    to: read.to,
    value: String(read.value),
    chainId: String(read.chainId),
    nonce: String(read.nonce),
    fee: String(fee + blobs * (read.maxFeePerBlobGas ?? 0n)),
    data: read.data,
  };
};

const readers = {
  "ethereum.message": (payload) => ({ digest: hashMessage(getBytes(payload)) }),
  "ethereum.transaction": transaction,
  "ethereum.typed-data": typedData,
};

const lines = readFileSync(0, "utf8").trim().split("\n");
const results = lines.map((line) => {
  const { format, name, payload } = JSON.parse(line);
  return JSON.stringify({ format, name, ...readers[format](payload) });
});
process.stdout.write(`[\n${results.join(",\n")}\n]\n`);
