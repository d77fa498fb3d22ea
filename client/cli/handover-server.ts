/**
 * The public side of a terminal: payers hand the DONE evidence of their payments over here, so that a hub which tells
 * only one side gains nothing (PROTOCOL.md section 4, "DONE travels"). Nothing else is served, and nothing is believed:
 * the enclave verifies what comes.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { asFailure, Failure } from './failure.ts';
import { readBody } from './http-body.ts';
import { listen, stopServer } from './http-listen.ts';
import { toJson } from './screen.ts';

const MAX_BODY_BYTES = 4 * 1024;
const MAX_CONNECTIONS = 64;
const REQUEST_MS = 10_000;

type AcceptHandover = (evidence: Uint8Array) => unknown;

export interface HandoverServer {
  port: number;
  /** Until this is called, every handover is answered with 503: the payer tries again or the hub delivers. */
  open(accept: AcceptHandover): void;
  stop(): Promise<void>;
}

/** @throws Failure PORT_IN_USE, CANNOT_LISTEN */
export async function startHandoverServer(where: { host: string; port: number }): Promise<HandoverServer> {
  let accept: AcceptHandover | undefined;
  const server = createServer((request, response) => {
    void answer(request, response, accept);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  const port = await listen(server, where);
  return {
    port,
    open: (handler) => {
      accept = handler;
    },
    stop: () => stopServer(server),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  accept: AcceptHandover | undefined,
): Promise<void> {
  const [path] = (request.url ?? '').split('?', 1);
  if (path !== '/handover')
    return refuse(response, 404, new Failure('UNKNOWN_ROUTE', 'Only /handover is served here.'));
  if (request.method !== 'POST') return refuse(response, 405, new Failure('WRONG_METHOD', '/handover takes a POST.'));
  if (accept === undefined)
    return refuse(response, 503, new Failure('STARTING', 'The terminal is starting. Try again.'));
  let body: Buffer;
  try {
    body = await readBody(request, MAX_BODY_BYTES);
  } catch (error) {
    const failure = asFailure(error);
    return refuse(response, failure.code === 'BODY_TOO_LARGE' ? 413 : 400, failure);
  }
  try {
    await accept(body);
    response.writeHead(204).end();
  } catch (error) {
    refuse(response, 422, asFailure(error));
  }
}

function refuse(response: ServerResponse, status: number, { code, message }: Failure): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${toJson({ error: { code, message } })}\n`);
}
