/**
 * Where a command writes. With `--json`, stdout carries the one document and nothing else; what a person would like to
 * read meanwhile goes to stderr. Without it, people read stdout.
 */

import type { Failure } from './failure.ts';

export interface Writer {
  write(text: string): unknown;
}

export class Screen {
  readonly json: boolean;
  readonly #out: Writer;
  readonly #err: Writer;

  constructor(options: { json: boolean; out?: Writer; err?: Writer }) {
    this.json = options.json;
    this.#out = options.out ?? process.stdout;
    this.#err = options.err ?? process.stderr;
  }

  /** Progress and explanations, for people. */
  say(...lines: string[]): void {
    const writer = this.json ? this.#err : this.#out;
    for (const line of lines) writer.write(`${line}\n`);
  }

  /** Warnings: stderr in either case. */
  warn(...lines: string[]): void {
    for (const line of lines) this.#err.write(`${line}\n`);
  }

  /** What the command was asked for, once: the document with `--json`, else the lines. */
  result(document: unknown, lines: () => readonly string[]): void {
    if (this.json) this.#out.write(`${toJson(document)}\n`);
    else for (const line of lines()) this.#out.write(`${line}\n`);
  }

  /** One line of many, as they come: for programs that read on. */
  line(document: unknown, words: () => string): void {
    this.#out.write(`${this.json ? toJson(document) : words()}\n`);
  }

  /** For what is neither lines for people nor JSON: a file on stdout. */
  rawOutput(): { write(text: string): Promise<void>; close(): Promise<void> } {
    const write = (text: string): Promise<void> => {
      this.#out.write(text);
      return Promise.resolve();
    };
    return { write, close: () => Promise.resolve() };
  }

  /** Whether a person looks at what goes to stdout. */
  get isTerminal(): boolean {
    return !this.json && this.#out === process.stdout && process.stdout.isTTY;
  }

  /** Help that was asked for is what stdout is for, also with `--json`. */
  help(text: string): void {
    this.#out.write(text);
  }

  failed(failure: Failure): void {
    if (this.json) this.#out.write(`${toJson({ error: { code: failure.code, message: failure.message } })}\n`);
    else this.#err.write(`${failure.message}\n  (${failure.code})\n`);
  }
}

/** JSON with bigints as decimal strings; money is never a JSON number. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? entry.toString() : entry));
