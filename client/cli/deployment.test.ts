import { createServer, type Server } from 'node:http';
import { JsonRpcProvider, Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployPaymentChannels } from '../../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../../contracts/development-chain.ts';
import { type Address, address } from '../../enclave/core/ids.ts';
import { isGenuineCode, resolveDeployment } from './deployment.ts';
import { codeOf } from './failure.ts';
import { listen, stopServer } from './http-listen.ts';

let chain: DevelopmentChain;
let provider: JsonRpcProvider;
let contract: Address;
let hub: Server;
let hubUrl: string;
let info: unknown;

beforeAll(async () => {
  chain = await startDevelopmentChain();
  provider = new JsonRpcProvider(chain.url, chain.chainId, { staticNetwork: true, cacheTimeout: -1 });
  contract = (await deployPaymentChannels(new Wallet(chain.accounts[0]?.privateKey ?? '', provider))).address;
  hub = createServer((_request, response) => {
    response.end(typeof info === 'string' ? info : JSON.stringify(info));
  });
  hubUrl = `http://127.0.0.1:${await listen(hub, { host: '127.0.0.1', port: 0 })}`;
});

afterAll(async () => {
  provider.destroy();
  await stopServer(hub);
  await chain.stop();
});

const remember = (over: { chainId?: bigint; contract?: Address }) => ({
  version: 1 as const,
  chainId: 31337n,
  contract,
  fromBlock: 7,
  name: 'x',
  hub: hubUrl,
  hubUrl: 'ws://10.0.0.1:1/session',
  rpc: chain.url,
  platform: '/p',
  policy: { forwarding: null, acceptAnything: false },
  ...over,
});

const outcome = async (hubInfo: unknown, more: { rpc?: string; remembered?: ReturnType<typeof remember> } = {}) => {
  info = hubInfo;
  try {
    return await resolveDeployment({ hub: hubUrl, rpc: more.rpc ?? chain.url, remembered: more.remembered });
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
};

describe('resolveDeployment', () => {
  it('takes what the hub proposes where the own RPC confirms chain and code', async () => {
    const found = await outcome({ chainId: '31337', contract, wsUrl: 'ws://10.0.0.1:1/session' });
    expect(found).toEqual({
      chainId: 31337n,
      contract,
      fromBlock: 0,
      hubUrl: `${hubUrl.replace('http', 'ws')}/session`,
    });
  });

  it('keeps the block of the first start', async () => {
    expect(await outcome({ chainId: 31337, contract }, { remembered: remember({}) })).toMatchObject({ fromBlock: 7 });
  });

  it('refuses a hub of another chain than the own RPC', async () => {
    expect(await outcome({ chainId: 1, contract })).toBe('WRONG_CHAIN');
  });

  it('refuses a hub that later names another contract or chain', async () => {
    const other = address(`0x${'11'.repeat(20)}`);
    const now = { chainId: 31337, contract };
    expect(await outcome(now, { remembered: remember({ contract: other }) })).toBe('HUB_CHANGED_CHAIN');
    expect(await outcome(now, { remembered: remember({ chainId: 5n }) })).toBe('HUB_CHANGED_CHAIN');
  });

  it('refuses an address without code, and code that is not the contract', async () => {
    expect(await outcome({ chainId: 31337, contract: `0x${'12'.repeat(20)}` })).toBe('FOREIGN_CONTRACT');
    const code = await provider.getCode(contract);
    const elsewhere = `0x${'13'.repeat(20)}`;
    await provider.send('anvil_setCode', [elsewhere, code]);
    expect(await outcome({ chainId: 31337, contract: elsewhere })).toBe('FOREIGN_CONTRACT');
  });

  it('does without hub and RPC after the first start: leaving needs no hub', async () => {
    const nowhere = 'http://127.0.0.1:9';
    const found = await resolveDeployment({ hub: nowhere, rpc: nowhere, remembered: remember({}) });
    expect(found).toEqual({ chainId: 31337n, contract, fromBlock: 7, hubUrl: 'ws://127.0.0.1:9/session' });
  });

  it('tells a hub that is no hub from one that is not there', async () => {
    expect(await outcome('hello')).toBe('NOT_A_HUB');
    expect(await outcome({ chainId: 'x', contract: 'y' })).toBe('NOT_A_HUB');
    const nobody = resolveDeployment({ hub: 'http://127.0.0.1:9', rpc: chain.url, remembered: undefined });
    await expect(nobody).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
  });

  it('says when the RPC is dead', async () => {
    expect(await outcome({ chainId: 31337, contract }, { rpc: 'http://127.0.0.1:9' })).toBe('RPC_UNREACHABLE');
  });
});

describe('isGenuineCode', () => {
  it('refuses any change of a byte', async () => {
    const code = await provider.getCode(contract);
    const named = { chainId: 31337n, contract };
    expect(isGenuineCode(code, named)).toBe(true);
    expect(isGenuineCode(code, { ...named, chainId: 1n })).toBe(false);
    for (const at of [10, 1_000, code.length - 2]) {
      const changed = `${code.slice(0, at)}${code[at] === '0' ? '1' : '0'}${code.slice(at + 1)}`;
      expect(isGenuineCode(changed, named)).toBe(false);
    }
    expect(isGenuineCode('0x', named)).toBe(false);
  });
});
