/**
 * Solidity → contracts/generated: ABI and bytecode as typed constants, by npm's solc called directly.
 *
 * Runs at every build and does nothing while sources, compiler and settings are unchanged: the generated file names the
 * hash of all three in its first line. Warnings fail the build like errors.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';

const require = createRequire(import.meta.url);
const here = import.meta.dirname;
const output = join(here, 'generated');

/** Part of what the gas table names: changing either changes the cost of everything. */
export const evmVersion = 'cancun';
/** Measured: from here on no call gets cheaper, and the code stays far below the limit of 24,576 bytes. */
export const optimizerRuns = 1_000_000;

const settings = {
  evmVersion,
  viaIR: true,
  optimizer: { enabled: true, runs: optimizerRuns },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
};
const MAX_CODE_BYTES = 24_576;

/** Each generated file: sources that it is made of, and the contracts whose constants it holds. */
const targets = [
  { file: 'PaymentChannels.ts', folders: ['.', 'interfaces', 'libraries', 'types'], contracts: ['PaymentChannels'] },
  { file: 'testing.ts', folders: ['testing'], contracts: ['EncodingHarness', 'HostileReceiver', 'TestToken'] },
];

/**
 * Compiles what changed. Safe to run by several processes at once: a file appears whole or not at all.
 * @returns {Promise<void>}
 * @throws Error with solc's own report where it has anything to say
 */
export async function compileContracts() {
  const sources = await readSources();
  const hash = createHash('sha256')
    .update(JSON.stringify([require('solc/package.json').version, settings, targets, sources]))
    .update(JSON.stringify(require('@openzeppelin/contracts/package.json').version))
    .update(await readFile(import.meta.filename))
    .digest('hex');
  const head = `// Made by contracts/compile.js from sources ${hash}. Do not edit.\n`;
  const stale = await Promise.all(targets.map(async ({ file }) => !(await startsWith(join(output, file), head))));
  if (!stale.includes(true)) return;

  const compiled = compile(sources);
  await mkdir(output, { recursive: true });
  for (const { file, contracts } of targets) {
    const text = head + contracts.map((name) => constants(name, findContract(compiled, name))).join('');
    const temporary = join(output, `.${file}.${process.pid}`);
    await writeFile(temporary, text);
    await rename(temporary, join(output, file));
  }
}

/** @returns {Promise<Record<string, { content: string }>>} every .sol below this folder by its relative path */
async function readSources() {
  /** @type {Record<string, { content: string }>} */
  const sources = {};
  for (const folder of targets.flatMap((target) => target.folders)) {
    for (const name of (await readdir(join(here, folder))).filter((entry) => entry.endsWith('.sol')).sort()) {
      const path = join(here, folder, name);
      sources[relative(here, path)] = { content: await readFile(path, 'utf8') };
    }
  }
  return sources;
}

/** @param {string} path @param {string} head */
async function startsWith(path, head) {
  return (await readFile(path, 'utf8').catch(() => '')).startsWith(head);
}

/** @param {Record<string, { content: string }>} sources */
function compile(sources) {
  const input = { language: 'Solidity', sources, settings };
  const result = JSON.parse(require('solc').compile(JSON.stringify(input), { import: readImport }));
  /** @type {Diagnostic[]} */
  const problems = (result.errors ?? []).filter((/** @type {Diagnostic} */ problem) => !isKnown(problem));
  if (problems.length > 0) {
    const report = problems.map((problem) => problem.formattedMessage);
    throw new Error(`The contracts do not compile cleanly:\n${report.join('\n')}`);
  }
  return result.contracts;
}

/** @typedef {{ errorCode?: string, formattedMessage: string, sourceLocation?: { file: string } }} Diagnostic */

/**
 * "Transient storage can break composability", which exempts reentrancy guards that are cleared at the end of the call:
 * OpenZeppelin's is one. @param {Diagnostic} problem
 */
function isKnown(problem) {
  return problem.errorCode === '2394' && problem.sourceLocation?.file.startsWith('@openzeppelin/contracts/') === true;
}

/** Imports from npm packages; our own files are all given. @param {string} path */
function readImport(path) {
  try {
    return { contents: require('node:fs').readFileSync(require.resolve(path), 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
}

/** @param {Record<string, Record<string, any>>} compiled @param {string} name */
function findContract(compiled, name) {
  const contract = Object.values(compiled).find((file) => file[name])?.[name];
  if (!contract) throw new Error(`solc made no contract ${name}: does its file still exist in contracts/?`);
  const bytes = contract.evm.deployedBytecode.object.length / 2;
  if (bytes > MAX_CODE_BYTES) throw new Error(`${name} has ${bytes} bytes of code, a chain accepts ${MAX_CODE_BYTES}`);
  return contract;
}

/** @param {string} name @param {{ abi: unknown, evm: any }} contract */
function constants(name, contract) {
  const prefix = name.charAt(0).toLowerCase() + name.slice(1);
  return [
    `\nexport const ${prefix}Abi = ${JSON.stringify(contract.abi, null, 2)} as const;\n`,
    `\nexport const ${prefix}Bytecode = '0x${contract.evm.bytecode.object}';\n`,
  ].join('');
}
