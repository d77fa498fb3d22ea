/** The link's socket in Node: the one import place of `ws` in client/. */

import { WebSocket } from 'ws';
import { MAX_FRAME_BYTES } from '../enclave/core/limits.ts';
import type { LinkSocket, SocketEvents } from './link.ts';

export function connectSocket(url: string, events: SocketEvents): LinkSocket {
  const socket = new WebSocket(url, {
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handshakeTimeout: 10_000,
  });
  let trouble = '';
  socket.on('open', () => events.open());
  socket.on('ping', () => events.alive());
  socket.on('message', (data, isBinary) => {
    if (!isBinary) return socket.close(1003, 'binary frames only');
    events.message(bytesOf(data));
  });
  // `close` follows every error.
  socket.on('error', (error) => {
    trouble = error.message || ('code' in error ? String(error.code) : error.name);
  });
  socket.on('close', (code, reason) => {
    events.close(trouble || `closed by the hub (${code}${reason.length > 0 ? `, ${reason.toString('utf8')}` : ''})`);
  });
  return {
    send: (bytes) => socket.send(bytes),
    close: () => (socket.readyState === WebSocket.OPEN ? socket.close() : socket.terminate()),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
  };
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data));
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data);
}
