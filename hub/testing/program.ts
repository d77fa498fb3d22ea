/** The hub as a process of its own, built by `npm run build`, for tests that end it without warning. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '../../dist/hub/main.js');

export interface HubProgram {
  readonly url: string;
  readonly port: number;
  /** Ends it as a power failure would, and waits until it is gone. */
  kill(): Promise<void>;
}

/** @param args without --json-ready @throws Error with what the program said, where it did not get ready */
export async function startHubProgram(args: readonly string[]): Promise<HubProgram> {
  const child = spawn(process.execPath, [PROGRAM, ...args, '--json-ready'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-10_000)));
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = new Promise<string | null>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.includes('\n')) resolve(stdout);
    });
    void gone.then(() => resolve(null));
  });
  const ready = await line;
  if (ready === null) throw new Error(`the hub did not get ready: ${stderr}`);
  const { url, port } = JSON.parse(ready) as { url: string; port: number };
  return { url, port, kill: () => kill(child, gone) };
}

function kill(child: ChildProcess, gone: Promise<void>): Promise<void> {
  child.kill('SIGKILL');
  return gone;
}
