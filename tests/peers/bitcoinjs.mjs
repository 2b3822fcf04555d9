// What bitcoinjs-lib makes of signed PSBTs: whether it takes the signatures, and the transaction.
// Reads lines of {"payload", "signed"}: a name, and a PSBT of version 0 (hexadecimal).
import { readFileSync } from "node:fs";
import { Psbt, Transaction, address, initEccLib, networks } from "bitcoinjs-lib";
import * as ecc from "tiny-secp256k1";

initEccLib(ecc); // it writes no taproot address otherwise

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const addressOf = (script) => address.fromOutputScript(script, networks.bitcoin);
const lowS = true;
const verify = (key, digest, signature) => ecc.verify(digest, key, signature, lowS);

// Each output of "<address> <satoshi>", which is short and easy to compare.
const written = ({ script, value }) => `${addressOf(script)} ${value}`;

const spent = (psbt, at) => {
  const { nonWitnessUtxo, witnessUtxo } = psbt.data.inputs[at];
  if (!nonWitnessUtxo) return written(witnessUtxo);
  return written(Transaction.fromBuffer(nonWitnessUtxo).outs[psbt.txInputs[at].index]);
};

const read = ({ payload, signed }) => {
  const psbt = Psbt.fromHex(signed, { network: networks.bitcoin });
  if (psbt.toHex() !== signed) throw new Error(`bitcoinjs-lib writes ${psbt.toHex()}`);
  const inputs = psbt.txInputs.map((_, at) => spent(psbt, at));
  const valid = inputs.map((_, at) => psbt.validateSignaturesOfInput(at, verify));
  const signatures = psbt.data.inputs.map((input) => input.partialSig.length);
  psbt.finalizeAllInputs();
  const transaction = psbt.extractTransaction(true); // its fee may be as large as it likes
  return {
    payload,
    valid,
    signatures,
    txid: transaction.getId(),
    wtxid: hex(transaction.getHash(true).reverse()),
    fee: String(psbt.getFee()),
    inputs,
    outputs: transaction.outs.map(written),
  };
};

const lines = readFileSync(0, "utf8").trim().split("\n");
const results = lines.map((line) => JSON.stringify(read(JSON.parse(line))));
process.stdout.write(`[\n${results.join(",\n")}\n]\n`);
