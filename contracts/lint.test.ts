/** Static analysis of every Solidity file, also of those that are tests: rules in .solhint.json, no warning allowed. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const solhint = createRequire(import.meta.url).resolve('solhint/solhint.js');

test('the static analyser finds nothing in any contract', async () => {
  const flags = ['--disc', '--noPoster', '--max-warnings', '0', '--formatter', 'unix', '**/*.sol'];
  const report = await run(process.execPath, [solhint, ...flags], { cwd: import.meta.dirname }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => String((error as { stdout?: string }).stdout ?? error),
  );
  expect(report).toBe('');
});
