/**
 * The EMULATED platform: measures an enclave image, starts the very bytes that it measured, keeps the register, and
 * signs quotes with an attestation authority of its own (PROTOCOL.md section 6).
 *
 * It emulates by interface. Keys and state are out of the host program's reach because no call hands them out; whoever
 * controls the machine can read the platform directory and the worker's memory, and a quote of it proves no more than
 * that. enclave/README.md says what follows for users.
 */

import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { toBytes } from '../core/codec.ts';
import { quoteDigest } from '../core/credential.ts';
import { ascii, keyedHash } from '../core/hash.ts';
import type { Address, Bytes32, Hex } from '../core/ids.ts';
import { derivePartyKey, type SigningKey, sign } from '../core/keys.ts';
import type { PlatformAnswer, PlatformQuestion } from '../core/platform-client.ts';
import { type EnclaveImage, readImage } from './image-file.ts';
import { Register } from './register.ts';

/** The secret of the emulated hardware. Whoever reads it can forge quotes of this platform and open what it sealed. */
const SECRET_FILE = 'EMULATED-platform.key';
const SECRET_BYTES = 32;

/** The platform directory cannot be used; the message says why and what to do. */
export class PlatformFailure extends Error {
  readonly code = 'PLATFORM_FAILED';
}

export class EmulatedPlatform {
  readonly #image: EnclaveImage;
  readonly #secret: Uint8Array;
  readonly #authorityKey: SigningKey;
  readonly #register: Register;

  private constructor(directory: string, secret: Uint8Array, image: EnclaveImage) {
    this.#image = image;
    this.#secret = secret;
    this.#authorityKey = derivePartyKey(keyedHash(secret, ascii('baro emulated authority 1')), 0);
    this.#register = new Register(join(directory, 'register'));
  }

  /**
   * Opens the platform that lives in `directory`, and makes it where there is none. The directory must not be kept,
   * copied or restored together with any terminal's data directory: the register in it is what finds a rollback out.
   */
  static async open(directory: string, image: EnclaveImage = readImage()): Promise<EmulatedPlatform> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new EmulatedPlatform(directory, await openSecret(directory), image);
  }

  /** The attestation authority of this platform. */
  get authority(): Address {
    return this.#authorityKey.address;
  }

  /** SHA-256 of the image that this platform starts. */
  get measurement(): Bytes32 {
    return this.#image.measurement;
  }

  /** Starts the image in a worker of its own. The caller gets the gate alone; the platform keeps its own port. */
  start(): { gate: Worker } {
    const { port1: own, port2: theirs } = new MessageChannel();
    own.on('message', (question: PlatformQuestion) => void this.#answer(question, own));
    const url = new URL(`data:text/javascript;base64,${this.#image.bytes.toString('base64')}`);
    const gate = new Worker(url, {
      workerData: { measurement: this.measurement, sealingKey: this.#sealingKey(), platformPort: theirs },
      transferList: [theirs],
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
    });
    gate.once('exit', () => own.close());
    own.unref();
    return { gate };
  }

  async close(): Promise<void> {
    await this.#register.close();
  }

  /** Bound to platform and measurement: another image gets another key. */
  #sealingKey(): Uint8Array {
    return keyedHash(this.#secret, ascii('baro emulated sealing 1'), toBytes(this.measurement));
  }

  async #answer(question: PlatformQuestion, port: MessagePort): Promise<void> {
    let answer: PlatformAnswer;
    try {
      answer = { answer: await this.#carryOut(question) };
    } catch (cause) {
      answer = { failed: cause instanceof Error ? cause.message : 'unknown cause' };
    }
    port.postMessage(answer);
  }

  #carryOut(question: PlatformQuestion): unknown {
    switch (question.ask) {
      case 'quote':
        return this.#quote(question.report);
      case 'read':
        return this.#register.read(question.log);
      case 'swap':
        return this.#register.swap(question.log, question);
    }
  }

  #quote(report: Uint8Array): { authority: Address; signature: Hex } {
    return { authority: this.authority, signature: sign(quoteDigest(this.measurement, report), this.#authorityKey) };
  }
}

/** Reads the secret; where there is none, makes one that either exists whole or not at all. */
async function openSecret(directory: string): Promise<Uint8Array> {
  const path = join(directory, SECRET_FILE);
  const known = await readIfThere(path);
  if (known) return checkedSecret(known, path);
  const draft = join(directory, `.${SECRET_FILE}.${randomBytes(8).toString('hex')}`);
  const file = await open(draft, 'wx', 0o600);
  await file.writeFile(randomBytes(SECRET_BYTES));
  await file.sync();
  await file.close();
  // A second process may be making one at the same time: the first link wins and both read it.
  await link(draft, path).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  });
  await unlink(draft);
  const handle = await open(directory);
  await handle.sync();
  await handle.close();
  return checkedSecret(await readFile(path), path);
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new PlatformFailure(`The emulated platform's secret ${path} cannot be read; check who owns it.`, { cause });
  }
}

function checkedSecret(secret: Buffer, path: string): Uint8Array {
  if (secret.length === SECRET_BYTES) return Uint8Array.from(secret);
  throw new PlatformFailure(
    `${path} holds ${secret.length} bytes instead of ${SECRET_BYTES}: it is damaged. Restore it, or start new terminals on a new platform directory.`,
  );
}
