/**
 * The daemon's control API: HTTP on the loopback interface, JSON in and out, a bearer token for everything. The owner's
 * opens every route, a cashier's those of its scopes.
 *
 * A route either answers at once with one document, or streams lines of JSON: any number of `{"phase":…}` as they
 * happen, then `{"result":…}` or `{"error":…}`. It knows nothing of terminals; control-routes.ts fills it.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Cashier, Cashiers, Scope } from './cashiers.ts';
import { asFailure, Failure } from './failure.ts';
import { readBody } from './http-body.ts';
import { listen, stopServer } from './http-listen.ts';
import { toJson } from './screen.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 64;

/** Reports what happens while a route works. */
export type Phases = (phase: unknown) => void;

/** About the call itself. */
export interface Asked {
  /** The cashier who asks, null for the owner. */
  cashier: string | null;
  /** Aborts when whoever asked is gone. What moves money goes on all the same. */
  signal: AbortSignal;
}

export interface Route {
  method: 'GET' | 'POST';
  path: string;
  /** Streams phases; else it answers with one document. */
  streams?: boolean;
  /** Whose cashiers may use it too; without one it is the owner's alone. 'any': every cashier's. */
  scope?: Scope | 'any';
  /** `input`: the body of a POST, the query of a GET. What it throws becomes the answer's error. */
  run: (input: unknown, phases: Phases, asked: Asked) => unknown;
}

/** A route whose input is checked before it runs. */
export function route<Input>(
  shape: Pick<Route, 'method' | 'path' | 'streams' | 'scope'> & { input: z.ZodType<Input> },
  run: (input: Input, phases: Phases, asked: Asked) => unknown,
): Route {
  const { input: schema, ...rest } = shape;
  return {
    ...rest,
    run: (input, phases, asked) => {
      const parsed = schema.safeParse(input);
      if (!parsed.success) {
        throw new Failure('INVALID_REQUEST', `${shape.path}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
      }
      return run(parsed.data, phases, asked);
    },
  };
}

export interface ControlServer {
  url: string;
  stop(): Promise<void>;
}

/** @throws Failure PORT_IN_USE, CANNOT_LISTEN */
export async function startControlServer(options: {
  /** The owner's. */
  token: string;
  cashiers?: Pick<Cashiers, 'find'>;
  port: number;
  routes: readonly Route[];
  onTrouble?: (failure: Failure) => void;
}): Promise<ControlServer> {
  const server: Server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      options.onTrouble?.(asFailure(error));
      response.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The query is split by hand: a base URL would be needed to parse what no URL of ours needs.
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const cashier = isOwner(request, options.token) ? null : options.cashiers?.find(tokenOf(request));
    if (cashier === undefined) {
      return refuse(
        response,
        401,
        new Failure(
          'UNAUTHORIZED',
          'The token is missing or wrong: it is in DATA/control.json, a cashier’s in its file (that of a removed cashier opens nothing).',
        ),
      );
    }
    const found = options.routes.filter((candidate) => candidate.path === path);
    const chosen = found.find((candidate) => candidate.method === request.method);
    if (chosen === undefined) {
      return found.length > 0
        ? refuse(response, 405, new Failure('WRONG_METHOD', `${path} is not for ${request.method ?? ''}.`))
        : refuse(response, 404, new Failure('UNKNOWN_ROUTE', `There is no ${path.slice(0, 80)} here.`));
    }
    if (cashier !== null && !mayUse(cashier, chosen)) return refuse(response, 403, notAllowed(cashier, chosen));
    let input: unknown;
    try {
      input = chosen.method === 'GET' ? Object.fromEntries(new URLSearchParams(query)) : await readJson(request);
    } catch (error) {
      const failure = asFailure(error);
      return refuse(response, failure.code === 'BODY_TOO_LARGE' ? 413 : 400, failure);
    }
    const leaving = new AbortController();
    response.once('close', () => leaving.abort());
    const call = { chosen, input, asked: { cashier: cashier?.name ?? null, signal: leaving.signal } };
    await (chosen.streams === true ? runStreaming(call, response) : runOnce(call, response));
  }

  const port = await listen(server, { host: '127.0.0.1', port: options.port });
  return { url: `http://127.0.0.1:${port}`, stop: () => stopServer(server) };
}

interface AuthorizedCall {
  chosen: Route;
  input: unknown;
  asked: Asked;
}

async function runOnce({ chosen, input, asked }: AuthorizedCall, response: ServerResponse): Promise<void> {
  try {
    send(response, 200, await chosen.run(input, () => undefined, asked));
  } catch (error) {
    refuse(response, 422, asFailure(error));
  }
}

async function runStreaming({ chosen, input, asked }: AuthorizedCall, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  // The caller may go away; what was asked goes on, and is found in the lists.
  const line = (document: unknown): void => {
    if (!response.destroyed) response.write(`${toJson(document)}\n`);
  };
  try {
    line({ result: (await chosen.run(input, (phase) => line({ phase }), asked)) ?? null });
  } catch (error) {
    const { code, message } = asFailure(error);
    line({ error: { code, message } });
  }
  response.end();
}

const mayUse = (cashier: Cashier, { scope }: Route): boolean =>
  scope === 'any' || (scope !== undefined && cashier.may.includes(scope));

function notAllowed({ name, may }: Cashier, { path, scope }: Route): Failure {
  const what = `The cashier ${name} may not do this (${path}): its credentials are for ${may.join(', ')}.`;
  const next =
    scope === undefined
      ? 'Only the owner can, with --data.'
      : `Ask the owner for credentials with --may ${[...may, scope].join(',')}.`;
  return new Failure('NOT_ALLOWED', `${what} ${next}`);
}

const tokenOf = (request: IncomingMessage): string => (request.headers.authorization ?? '').replace(/^Bearer /, '');

function isOwner(request: IncomingMessage, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBody(request, MAX_BODY_BYTES);
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Failure('MALFORMED_JSON', 'The body is not JSON.');
  }
}

function send(response: ServerResponse, status: number, document: unknown): void {
  const body = Buffer.from(`${toJson(document)}\n`);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    // Whatever of the request was not read must not be taken for the next one.
    ...(status >= 400 ? { connection: 'close' } : {}),
  });
  response.end(body);
}

const refuse = (response: ServerResponse, status: number, { code, message }: Failure): void =>
  send(response, status, { error: { code, message } });
