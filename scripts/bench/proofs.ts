/** What is done once for a job: the proof that its modulus is well formed, made and verified. */
import type { ModularBackend } from '../../src/paillier/backend.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { verifyModulus } from '../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { median, type Operation, type Row } from './measure.ts';

/** @param times each is done, after once before */
export async function measureProofs(
  { publicKey, privateKey }: KeyPair,
  backend: ModularBackend,
  times: number,
): Promise<Row[]> {
  const context = new TextEncoder().encode('a job of a model owner');
  const [proving, verifying]: [number[], number[]] = [[], []];
  for (let time = 0; time <= times; time += 1) {
    const started = performance.now();
    const proof = await proveModulus(privateKey, context, { backend });
    const proven = performance.now();
    await verifyModulus(publicKey, proof, context, { backend });
    if (time === 0) continue;
    proving.push(proven - started);
    verifying.push(performance.now() - proven);
  }
  const row = (operation: Operation, durations: readonly number[]): Row => ({
    operation,
    implementation: 'sealsum',
    backend: backend.name,
    key_bits: publicKey.n.toString(2).length,
    values: 0,
    owners: 1,
    median_ms: Number(median(durations).toPrecision(4)),
    bytes_per_value: 0,
  });
  return [row('prove', proving), row('verify', verifying)];
}
