/**
 * The enclave image's entry: what the platform measures is the bundle of this file, and what it starts are those bytes.
 *
 * Two ports and nothing else: the gate (the host's: calls in, replies out, in order) and the platform's own. Neither the
 * host's objects nor its modules are reachable from here, nor the other way round.
 */

import type { MessagePort } from 'node:worker_threads';
import { parentPort, workerData } from 'node:worker_threads';
import { Door } from './door.ts';
import { MAX_FRAME_BYTES, MAX_RECORD_BYTES } from './limits.ts';
import { type PlatformBoot, PlatformClient } from './platform-client.ts';

const gate = parentPort;
if (!gate) throw new Error('the enclave image runs in a worker that its platform started');

const boot = workerData as PlatformBoot & { platformPort: MessagePort };
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const door = new Door(new PlatformClient(boot, boot.platformPort), random);

let turn: Promise<void> = Promise.resolve();
gate.on('message', (call: unknown) => {
  turn = turn.then(async () => {
    // Anything but bytes of a bounded size is dropped: the door speaks bytes alone.
    if (!(call instanceof Uint8Array) || call.length > MAX_FRAME_BYTES + MAX_RECORD_BYTES) return;
    gate.postMessage(await door.call(call));
  });
});
