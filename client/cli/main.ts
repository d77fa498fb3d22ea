#!/usr/bin/env node
/** `baro`: everything an owner of a terminal or of a hub does, from the command line. */

import { runProgram } from './program.ts';

// A closed terminal window or `| head` ends our output, not our duty to stop what was started.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

process.exitCode = await runProgram(process.argv.slice(2));
