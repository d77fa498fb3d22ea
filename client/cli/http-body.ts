/** Bodies of requests, never more of them than allowed. */

import type { IncomingMessage } from 'node:http';
import { Failure } from './failure.ts';

/** @throws Failure BODY_TOO_LARGE as soon as more than `limit` bytes are announced or have come */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = () => new Failure('BODY_TOO_LARGE', `The body has more than ${limit} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Listeners rather than iteration: leaving an iteration destroys the socket before the refusal is sent.
  return await new Promise<Buffer>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        chunks.length = 0;
        request.pause();
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Failure('BODY_INCOMPLETE', 'The request ended before its body did.')));
  });
}
