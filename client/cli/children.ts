/**
 * Programs that this one starts and has to answer for: whatever way this process ends, none of them is left running.
 *
 * Each child leads a process group of its own, so that Ctrl-C in a terminal reaches only us, and we ask them in order:
 * SIGTERM, after a bound SIGKILL for the whole group. A guard (guard.ts) kills them should we be killed outright.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { codeOf, Failure, reasonOf } from './failure.ts';
import { Guard } from './guard.ts';

const READY_MS = 30_000;
const STOP_MS = 8_000;
const LOG_LINES = 12;

export interface Program {
  name: string;
  command: string;
  args: readonly string[];
  /** Where its stderr goes. */
  logFile: string;
  /** Higher stages are stopped first. */
  stage: number;
  readyMs?: number;
  stopMs?: number;
}

interface Child {
  program: Program;
  process: ChildProcess;
  pid: number;
  exited: Promise<string>;
  expected: boolean;
}

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export class Children {
  readonly #children = new Set<Child>();
  #guard: Guard | undefined;
  #stopping: Promise<void> | undefined;
  #reportLoss: (failure: Failure) => void = () => undefined;
  /** Rejects when a child that was ready ends without having been asked to. Never resolves. */
  readonly lost: Promise<never>;

  constructor() {
    this.lost = new Promise((_resolve, reject) => {
      this.#reportLoss = reject;
    });
    this.lost.catch(() => undefined);
    process.on('exit', this.#killAll);
  }

  get pids(): readonly number[] {
    return [...this.#children].map((child) => child.pid);
  }

  /**
   * Starts a program and waits for the first line of its stdout, a JSON document as `ready` describes it.
   * @throws Failure with the child's own code, or CHILD_NOT_READY; the child is gone then
   */
  async start<Ready>(program: Program, ready: z.ZodType<Ready>): Promise<Ready> {
    if (this.#stopping !== undefined) throw new Failure('STOPPED', `${program.name} is not started any more.`);
    const child = this.#spawn(program);
    try {
      const line = await this.#firstLine(child);
      const refused = errorSchema.safeParse(line);
      if (refused.success) throw new Failure(refused.data.error.code, `${program.name}: ${refused.data.error.message}`);
      const parsed = ready.safeParse(line);
      if (!parsed.success) throw await notReady(program, 'said something unexpected');
      void child.exited.then(async (how) => {
        if (!child.expected) this.#reportLoss(await ended(program, how));
      });
      return parsed.data;
    } catch (error) {
      await this.#stop(child);
      throw error;
    }
  }

  /** Stops all of them, highest stage first. May be called again; resolves when none is left. */
  stopAll(): Promise<void> {
    this.#stopping ??= this.#stopStages();
    return this.#stopping;
  }

  /** For whoever does not want to wait any longer. */
  killAll(): void {
    this.#killAll();
  }

  async #stopStages(): Promise<void> {
    for (const child of this.#children) child.expected = true;
    const stages = [...new Set([...this.#children].map((child) => child.program.stage))].sort((a, b) => b - a);
    for (const stage of stages) {
      const members = [...this.#children].filter((child) => child.program.stage === stage);
      await Promise.all(members.map((child) => this.#stop(child)));
    }
    await this.#guard?.close();
    process.off('exit', this.#killAll);
  }

  #spawn(program: Program): Child {
    this.#guard ??= new Guard();
    const log = openSync(program.logFile, 'a', 0o600);
    const spawned = spawn(program.command, program.args, { detached: true, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    const exited = new Promise<string>((resolve) => {
      spawned.once('error', (error) => resolve(`could not be started: ${reasonOf(error)}`));
      spawned.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code ?? '?'}` : signal));
    });
    const child = { program, process: spawned, pid: spawned.pid ?? 0, exited, expected: false };
    this.#children.add(child);
    if (child.pid > 0) this.#guard.add(child.pid);
    return child;
  }

  async #firstLine(child: Child): Promise<unknown> {
    const { program } = child;
    const { stdout } = child.process;
    if (stdout === null) throw new Failure('CHILD_NOT_READY', `${program.name} has no output.`);
    const lines = createInterface({ input: stdout });
    let timer: NodeJS.Timeout | undefined;
    try {
      const line = await Promise.race([
        new Promise<string>((resolve) => lines.once('line', resolve)),
        // A last line may still be on its way when the process is gone.
        child.exited.then(async (how) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          throw await ended(program, how);
        }),
        new Promise<never>((_resolve, reject) => {
          timer = setTimeout(
            () => void notReady(program, 'was not ready in time').then(reject),
            program.readyMs ?? READY_MS,
          );
        }),
      ]);
      return parseLine(line);
    } finally {
      clearTimeout(timer);
      lines.close();
      // Read on and thrown away: a full pipe would stop the child.
      stdout.resume();
    }
  }

  async #stop(child: Child): Promise<void> {
    child.expected = true;
    const bound = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), child.program.stopMs ?? STOP_MS);
    if (isRunning(child)) child.process.kill('SIGTERM');
    await child.exited;
    clearTimeout(bound);
    // What it started itself and left behind.
    signalGroup(child.pid, 'SIGKILL');
    this.#guard?.remove(child.pid);
    this.#children.delete(child);
  }

  readonly #killAll = (): void => {
    for (const child of this.#children) {
      child.expected = true;
      signalGroup(child.pid, 'SIGKILL');
    }
  };
}

const isRunning = (child: Child): boolean => child.process.exitCode === null && child.process.signalCode === null;

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 0) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

const notReady = (program: Program, what: string): Promise<Failure> => withLog('CHILD_NOT_READY', program, what);
const ended = (program: Program, how: string): Promise<Failure> =>
  withLog('CHILD_ENDED', program, `ended unexpectedly (${how})`);

async function withLog(code: string, program: Program, what: string): Promise<Failure> {
  const log = await readFile(program.logFile, 'utf8').catch(() => '');
  const tail = log.trimEnd().split('\n').slice(-LOG_LINES).join('\n  ');
  return new Failure(code, `${program.name} ${what}. The end of its log ${program.logFile}:\n  ${tail}`);
}
