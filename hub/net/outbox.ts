/**
 * What waits for one terminal: messages of one turn share a frame (PROTOCOL.md section 4, "Many at once"), split only
 * where a frame would be too large.
 */

import { MAX_COMMANDS, MAX_FRAME_BYTES } from '../../enclave/core/limits.ts';
import { encodeHubFrame, type HubMessage } from '../../enclave/core/wire.ts';
import { MAX_OUTGOING_MESSAGES } from '../core/limits.ts';

export class Outbox {
  #messages: HubMessage[] = [];

  /** @returns false where the queue is full: the session is to be dropped */
  add(message: HubMessage): boolean {
    if (this.#messages.length >= MAX_OUTGOING_MESSAGES) return false;
    this.#messages.push(message);
    return true;
  }

  /** Everything that waits, as frames. */
  take(): Uint8Array[] {
    const messages = this.#messages;
    this.#messages = [];
    const frames: Uint8Array[] = [];
    for (let at = 0; at < messages.length; at += MAX_COMMANDS)
      frames.push(...framesOf(messages.slice(at, at + MAX_COMMANDS)));
    return frames;
  }
}

function framesOf(messages: HubMessage[]): Uint8Array[] {
  const frame = encodeHubFrame(messages);
  if (frame.length <= MAX_FRAME_BYTES || messages.length === 1) return [frame];
  const middle = messages.length >> 1;
  return [...framesOf(messages.slice(0, middle)), ...framesOf(messages.slice(middle))];
}
