/** The enclave's core run in this very process, without worker, seal or disk: for tests of what surrounds it. */

import type { AttestationPolicy, Deployment } from '../../enclave/core/credential.ts';
import { quoteDigest, reportData } from '../../enclave/core/credential.ts';
import { type Bytes32, bytes32 } from '../../enclave/core/ids.ts';
import type { Command, Result } from '../../enclave/core/interface.ts';
import { derivePartyKey, sign } from '../../enclave/core/keys.ts';
import { runFrame } from '../../enclave/core/machine.ts';
import type { OwnerPolicy } from '../../enclave/core/order.ts';
import { newState, type State } from '../../enclave/core/state.ts';
import type { CommandKind, ResultOf } from '../../enclave/host/enclave.ts';
import type { EnclavePort } from '../enclave-port.ts';
import { TerminalRefusal } from '../refusal.ts';

const AUTHORITY = derivePartyKey(new Uint8Array(32).fill(0xaa), 0);
const MEASUREMENT: Bytes32 = bytes32(`0x${'e1'.repeat(32)}`);
const ATTESTATION: AttestationPolicy = {
  authorities: [AUTHORITY.address],
  measurements: [MEASUREMENT],
  acceptEmulated: true,
};

interface Waiting {
  command: Command;
  resolve(result: Result): void;
  reject(error: Error): void;
}

export class CoreEnclave implements EnclavePort {
  readonly state: State;
  /** The kinds of the commands of every frame so far. */
  readonly frames: Command['kind'][][] = [];
  /** Unix seconds. */
  nowS = 1_800_000_000;
  #waiting: Waiting[] = [];
  #drawn = 0;

  /** @param seed one byte: another terminal for another byte */
  constructor(seed: number, deployment: Deployment, policy: OwnerPolicy) {
    const { chainId, contract } = deployment;
    const foundation = { chainId, contract, releaseAuthority: null, seed: new Uint8Array(32).fill(seed) };
    this.state = newState(foundation, { policy, attestation: ATTESTATION });
  }

  get identity() {
    return this.state.keyRing.identity;
  }

  async run<K extends CommandKind>(command: Extract<Command, { kind: K }>): Promise<ResultOf<K>> {
    const result = await new Promise<Result>((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#frame());
      this.#waiting.push({ command, resolve, reject });
    });
    if (result.kind === 'refused') throw new TerminalRefusal(result);
    return result as ResultOf<K>;
  }

  #frame(): void {
    const batch = this.#waiting.splice(0);
    const commands = batch.map((waiting) => waiting.command);
    this.frames.push(commands.map((command) => command.kind));
    const { results } = runFrame(this.state, { now: this.nowS, commands }, this.#surroundings());
    for (const [index, waiting] of batch.entries()) {
      const result = results[index];
      if (result) waiting.resolve(result);
      else waiting.reject(new Error('fewer results than commands'));
    }
  }

  #surroundings() {
    const { keyRing, deployment } = this.state;
    const signature = sign(quoteDigest(MEASUREMENT, reportData(keyRing, deployment)), AUTHORITY);
    const quote = { platform: 'emulated' as const, measurement: MEASUREMENT, authority: AUTHORITY.address, signature };
    return { quote, random: (length: number) => new Uint8Array(length).fill(++this.#drawn) };
  }
}
