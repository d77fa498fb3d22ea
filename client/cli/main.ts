#!/usr/bin/env node
/** `baro`: everything an owner of a terminal or of a hub does, from the command line. */

import { runProgram } from './program.ts';

// A closed terminal window or `| head` ends our output, not our duty to stop what was started.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

/** For what a stopped part may have forgotten to let go of. */
const LINGER_MS = 2_000;

process.exitCode = await runProgram(process.argv.slice(2));
// Not at once: what was written to a pipe is still on its way.
setTimeout(() => process.exit(), LINGER_MS).unref();
