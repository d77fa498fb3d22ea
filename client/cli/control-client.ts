/** How a command talks to the daemon of its data directory. */

import { type IncomingMessage, request } from 'node:http';
import { z } from 'zod';
import { type Control, readControl, readCredentials } from './control-file.ts';
import { codeOf, Failure } from './failure.ts';
import { readRemembered } from './remembered.ts';

const errorSchema = z.strictObject({ error: z.object({ code: z.string(), message: z.string() }) });
const lineSchema = z.union([
  z.strictObject({ phase: z.unknown() }),
  z.strictObject({ result: z.unknown() }),
  errorSchema,
]);
type Line = z.output<typeof lineSchema>;

export interface Call<Answer> {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  /** What the daemon's answer must look like: an older daemon may still run. */
  answer: z.ZodType<Answer>;
  onPhase?: (phase: unknown) => void;
  /** Leaves; what was asked goes on in the daemon. */
  signal?: AbortSignal;
}

export class ControlClient {
  readonly #control: Pick<Control, 'url' | 'token'>;
  /** Said where nobody listens. */
  readonly #gone: () => Promise<Failure>;

  private constructor(control: Pick<Control, 'url' | 'token'>, gone: () => Promise<Failure>) {
    this.#control = control;
    this.#gone = gone;
  }

  /** As the owner. @throws Failure NO_DAEMON */
  static async open(dataDirectory: string): Promise<ControlClient> {
    const control = await readControl(dataDirectory);
    if (control === undefined) throw await noDaemon(dataDirectory);
    return new ControlClient(control, () => noDaemon(dataDirectory));
  }

  /** As a cashier. @throws Failure NO_CREDENTIALS */
  static async openAs(credentialsFile: string): Promise<ControlClient> {
    const credentials = await readCredentials(credentialsFile);
    const gone = new Failure(
      'NO_DAEMON',
      `No terminal answers at ${credentials.url}, which ${credentialsFile} names. Ask the owner to start it; if it ` +
        'runs on another port now, ask for new credentials.',
    );
    return new ControlClient(credentials, () => Promise.resolve(gone));
  }

  get url(): string {
    return this.#control.url;
  }

  /** No time limit: a deposit takes as long as its chain does. @throws Failure with the daemon's code and words */
  async call<Answer>(call: Call<Answer>): Promise<Answer> {
    let answered: unknown;
    for await (const parsed of this.#lines(call)) {
      if ('error' in parsed) throw new Failure(parsed.error.code, parsed.error.message);
      if ('phase' in parsed) call.onPhase?.(parsed.phase);
      else answered = parsed.result;
    }
    if (answered === undefined) {
      throw new Failure(
        'DAEMON_GONE',
        'The terminal stopped before it answered. Start it again and look at `baro payments`.',
      );
    }
    const checked = call.answer.safeParse(answered);
    if (checked.success) return checked.data;
    throw differs(checked.error);
  }

  async *#lines(call: Call<unknown>): AsyncGenerator<Line> {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body, bigintsAsText);
    const outgoing = request(`${this.#control.url}${call.path}`, {
      method: call.method,
      headers: { authorization: `Bearer ${this.#control.token}`, 'content-type': 'application/json' },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.on('error', reject);
    });
    outgoing.end(body);
    try {
      const incoming = await response;
      const read = incoming.headers['content-type'] === 'application/x-ndjson' ? readLine : readDocument;
      let rest = '';
      for await (const chunk of incoming.setEncoding('utf8')) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield read(JSON.parse(line));
      }
    } catch (error) {
      // Killed daemons leave their control file behind.
      if (codeOf(error) === 'ECONNREFUSED') throw await this.#gone();
      if (codeOf(error) === 'ECONNRESET') return;
      throw error;
    }
  }
}

function readLine(document: unknown): Line {
  const line = lineSchema.safeParse(document);
  if (line.success) return line.data;
  throw differs(line.error);
}

/** Plain answers are one document: the result itself, or an error. */
function readDocument(document: unknown): Line {
  const error = errorSchema.safeParse(document);
  return error.success ? error.data : { result: document };
}

const differs = (cause: unknown): Failure =>
  new Failure('DAEMON_DIFFERS', 'The running terminal is of another version than this command. Restart it.', { cause });

const bigintsAsText = (_key: string, entry: unknown): unknown => (typeof entry === 'bigint' ? entry.toString() : entry);

async function noDaemon(dataDirectory: string): Promise<Failure> {
  const known = await readRemembered(dataDirectory).catch(() => undefined);
  const rest = known === undefined ? ' --hub URL --rpc URL --accept-emulated' : '';
  return new Failure(
    'NO_DAEMON',
    `No terminal is running on ${dataDirectory}. Start one in another window:\n  baro terminal --data ${dataDirectory}${rest}`,
  );
}
