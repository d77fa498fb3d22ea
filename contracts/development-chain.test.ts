import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { startDevelopmentChain } from './development-chain.ts';
import { chainFingerprint, openRpc } from './rpc.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Which of these chains still serve. */
async function answering(urls: readonly string[]): Promise<string[]> {
  const asked = await Promise.allSettled(urls.map((url) => openRpc({ url })));
  return urls.filter((_, index) => asked[index]?.status === 'fulfilled');
}

test('a chain has funded accounts, the chain id asked for, and is gone after stop', async () => {
  const chain = await startDevelopmentChain({ chainId: 4242 });
  const provider = await openRpc({ url: chain.url, chainId: 4242n });
  expect(chain.accounts).toHaveLength(10);
  for (const { address } of chain.accounts) expect(await provider.getBalance(address)).toBe(10n ** 22n);
  expect(isAlive(chain.pid)).toBe(true);
  await Promise.all([chain.stop(), chain.stop()]);
  expect(isAlive(chain.pid)).toBe(false);
  await expect(openRpc({ url: chain.url })).rejects.toMatchObject({ code: 'RPC_UNREACHABLE' });
});

test('a port that is taken is refused in words', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError('a TCP address expected');
  const failure: unknown = await startDevelopmentChain({ port: bound.port }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'PORT_IN_USE' });
  expect(String(failure)).toContain(`Port ${bound.port} is taken`);
  server.close();
});

test('a chain with a state file is the same chain after every restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'baro-chain-'));
  const stateFile = join(folder, 'state.json');
  const seen: { genesis: string; height: number }[] = [];
  for (let run = 0; run < 3; run++) {
    const chain = await startDevelopmentChain({ stateFile });
    const provider = await openRpc({ url: chain.url });
    const { genesisHash } = await chainFingerprint(provider);
    seen.push({ genesis: genesisHash, height: await provider.getBlockNumber() });
    await provider.send('anvil_mine', ['0x2']);
    await chain.stop();
  }
  expect(seen.map(({ height }) => height)).toEqual([0, 2, 4]);
  expect(new Set(seen.map(({ genesis }) => genesis)).size).toBe(1);
  await rm(folder, { recursive: true });
}, 20_000);

test('two chains never have the same genesis, and their clock is that of the machine', async () => {
  const chains = await Promise.all([startDevelopmentChain(), startDevelopmentChain()]);
  const providers = await Promise.all(chains.map((chain) => openRpc({ url: chain.url })));
  const hashes = await Promise.all(providers.map(async (provider) => (await chainFingerprint(provider)).genesisHash));
  expect(hashes[0]).not.toBe(hashes[1]);
  await providers[0]?.send('anvil_mine', ['0x1']);
  const block = await providers[0]?.getBlock('latest');
  expect(Math.abs((block?.timestamp ?? 0) - Date.now() / 1000)).toBeLessThan(3600);
  await Promise.all(chains.map((chain) => chain.stop()));
});

test('a state file that cannot be read is refused and left alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'baro-chain-'));
  const stateFile = join(folder, 'state.json');
  await writeFile(stateFile, 'not a chain');
  await expect(startDevelopmentChain({ stateFile })).rejects.toMatchObject({ code: 'CHAIN_NOT_STARTED' });
  await rm(folder, { recursive: true });
});

test.each(['exit', 'SIGTERM', 'SIGINT'] as const)(
  'all chains end with the process that started them: %s',
  async (how) => {
    const folder = await mkdtemp(join(import.meta.dirname, 'generated', 'parent-'));
    const program = join(folder, 'parent.js');
    const source = `import { startDevelopmentChain } from './development-chain.ts';
    const chains = [await startDevelopmentChain(), await startDevelopmentChain()];
    process.stdout.write(chains.map((chain) => chain.url).join() + '\\n');
    process.stdin.once('data', () => process.exit(0));`;
    const stdin = { contents: source, resolveDir: import.meta.dirname, loader: 'ts' as const };
    await build({ stdin, bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile: program });
    const parent = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(async () => {
      parent.kill('SIGTERM');
      await rm(folder, { recursive: true });
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const urls = line.toString().trim().split(',');
    expect(await answering(urls)).toHaveLength(2);
    const gone = once(parent, 'exit');
    if (how === 'exit') parent.stdin.write('now');
    else parent.kill(how);
    expect(await gone).toEqual(how === 'exit' ? [0, null] : [null, how]);
    await expect.poll(() => answering(urls), { timeout: 10_000 }).toEqual([]);
  },
  30_000,
);
