/**
 * A small process that outlives this one by a moment: should we be killed outright, it kills the process groups that we
 * had started. It knows that we are gone by the end of its stdin, which the kernel closes for us.
 */

import { type ChildProcess, spawn } from 'node:child_process';

/** Runs in the other process, from its source text: it may use nothing but Node's globals. */
function watch(): void {
  const groups = new Set<number>();
  let rest = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (chunk) => {
    const words = (rest + String(chunk)).split('\n');
    rest = words.pop() ?? '';
    for (const word of words) {
      const group = Number(word.slice(1));
      if (word.startsWith('+')) groups.add(group);
      else groups.delete(group);
    }
  });
  process.stdin.on('end', () => {
    for (const group of groups) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  });
}

export class Guard {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;

  constructor() {
    const source = `(${watch.toString()})()`;
    this.#process = spawn(process.execPath, ['-e', source], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => resolve());
      this.#process.once('error', () => resolve());
    });
    // Without a guard we are as good as without one: everything else still ends what it started.
    this.#process.stdin?.on('error', () => undefined);
  }

  /** @param group the pid of a group's leader */
  add(group: number): void {
    this.#process.stdin?.write(`+${group}\n`);
  }

  remove(group: number): void {
    this.#process.stdin?.write(`-${group}\n`);
  }

  /** Lets it go. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#process.stdin?.end();
    await this.#exited;
  }
}
