import { describe, expect, it } from 'vitest';
import { MemoryPlatform } from '../../simulations/enclaves/memory-platform.ts';
import { seededBytes } from '../../simulations/enclaves/simulated-enclave.ts';
import { CHAIN_ID, CONTRACT, EVERYTHING, SimulatedNetwork } from '../../simulations/enclaves/simulated-network.ts';
import { decode, encode } from './codec.ts';
import { Door } from './door.ts';
import { bytes32, NATIVE, ZERO_32 } from './ids.ts';
import { type DoorCall, doorCallCodec, doorReplyCodec } from './interface.ts';
import { recordHash, restore } from './seal.ts';
import { decodeState, encodeState } from './state.ts';

const invoice = { kind: 'invoice' as const, token: NATIVE, amount: 5n, expiry: 1_800_003_600, description: 'tea' };

async function started() {
  const network = await SimulatedNetwork.of(1);
  const { terminal } = network.at(0);
  return { network, terminal, platform: network.platform };
}

describe('the door', () => {
  it('hands out the sealed record alone, and the result only after it is durable and anchored', async () => {
    const { terminal } = await started();
    const frame: DoorCall = { kind: 'frame', now: terminal.now, commands: [invoice] };
    const sealed = await terminal.call(frame);
    if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
    expect(await terminal.call(frame)).toMatchObject({ kind: 'refused', code: 'NOT_DURABLE' });
    expect(await terminal.call({ kind: 'durable', recordHash: ZERO_32 })).toMatchObject({ code: 'WRONG_RECORD' });
    const released = await terminal.call({ kind: 'durable', recordHash: sealed.recordHash });
    expect(released).toMatchObject({ kind: 'results', results: [{ kind: 'invoice' }] });
  });

  it('seals nothing where nothing has changed', async () => {
    const { terminal } = await started();
    const before = terminal.records.length;
    await terminal.frame([{ kind: 'describe' }, { kind: 'listChannels' }, { kind: 'cancelOrder', orderId: ZERO_32 }]);
    expect(terminal.records.length).toBe(before);
  });

  it('does not show in a record what it holds', async () => {
    const { terminal } = await started();
    await terminal.expect('invoice', { ...invoice, description: 'a secret between us' });
    for (const record of terminal.records) expect(Buffer.from(record).includes('a secret between us')).toBe(false);
  });

  it('refuses bytes that are no call: every truncation, flipped and trailing bytes', async () => {
    const { platform } = await started();
    const door = new Door(platform, seededBytes('another'));
    const bytes = encode(doorCallCodec, { kind: 'frame', now: 1, commands: [invoice] });
    for (let length = 0; length < bytes.length; length++) {
      const reply = decode(doorReplyCodec, await door.call(bytes.subarray(0, length)));
      expect(reply).toMatchObject({ kind: 'refused', code: 'MALFORMED' });
    }
    const trailing = Uint8Array.from([...bytes, 0]);
    expect(decode(doorReplyCodec, await door.call(trailing))).toMatchObject({ code: 'MALFORMED' });
    expect(decode(doorReplyCodec, await door.call(bytes))).toMatchObject({ code: 'NOT_STARTED' });
  });

  it('refuses a policy that the contract could not settle', async () => {
    const { platform } = await started();
    const door = new Door(platform, seededBytes('another'));
    const attestation = { authorities: [], measurements: [], acceptEmulated: true };
    const create: DoorCall = {
      kind: 'create',
      chainId: CHAIN_ID,
      contract: CONTRACT,
      attestation,
      policy: { ...EVERYTHING, maxPending: 401 },
      releaseAuthority: null,
    };
    expect(decode(doorReplyCodec, await door.call(encode(doorCallCodec, create)))).toMatchObject({
      code: 'POLICY_OUT_OF_RANGE',
    });
  });
});

describe('a start', () => {
  it('gives back exactly the state that was anchored', async () => {
    const { terminal } = await started();
    await terminal.frame([invoice, { kind: 'deriveAddress' }]);
    const before = await terminal.frame([{ kind: 'describe' }, { kind: 'listInvoices' }]);
    expect(await terminal.restart()).toEqual({ kind: 'opened', accepted: 2 });
    expect(await terminal.frame([{ kind: 'describe' }, { kind: 'listInvoices' }])).toEqual(before);
  });

  it('cuts off a record that was written but never anchored: nothing of it was released', async () => {
    const { terminal } = await started();
    const sealed = await terminal.call({ kind: 'frame', now: terminal.now, commands: [invoice] });
    if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
    expect(await terminal.restart([...terminal.records, sealed.record])).toEqual({ kind: 'opened', accepted: 1 });
    expect(await terminal.expect('invoices', { kind: 'listInvoices' })).toMatchObject({ invoices: [] });
  });

  it('finds out old, foreign, damaged and incomplete state', async () => {
    const { terminal } = await started();
    const old = [...terminal.records];
    await terminal.expect('invoice', invoice);
    await terminal.expect('invoice', invoice);
    const { records } = terminal;
    expect(await terminal.restart(old)).toMatchObject({ kind: 'refused', code: 'STALE' });
    expect(await terminal.restart(records.slice(1))).toMatchObject({ code: 'CORRUPT' });
    expect(await terminal.restart(records.filter((_, index) => index !== 1))).toMatchObject({ code: 'CORRUPT' });
    const damaged = records.map((record) => Uint8Array.from(record));
    const [first] = damaged;
    if (first) first[first.length - 1] = (first[first.length - 1] ?? 0) ^ 1;
    expect(await terminal.restart(damaged)).toMatchObject({ code: 'FOREIGN' });
    expect(await terminal.restart([new Uint8Array([1, 2, 3])])).toMatchObject({ code: 'CORRUPT' });
    expect(await terminal.restart([])).toMatchObject({ code: 'CORRUPT' });
    expect(await terminal.restart(records)).toMatchObject({ kind: 'opened', accepted: 3 });
  });

  it('opens nothing that another platform or another image sealed', async () => {
    const { terminal, platform } = await started();
    const read = async (other: MemoryPlatform) => {
      const door = new Door(other, seededBytes('reader'));
      const call = async (each: DoorCall) => decode(doorReplyCodec, await door.call(encode(doorCallCodec, each)));
      await call({ kind: 'load', records: terminal.records });
      return call({ kind: 'open' });
    };
    await terminal.expect('invoice', invoice);
    expect(await read(new MemoryPlatform(new Uint8Array(32).fill(8)))).toMatchObject({ code: 'FOREIGN' });
    const otherImage = new MemoryPlatform(new Uint8Array(32).fill(7), bytes32(`0x${'66'.repeat(32)}`));
    expect(await read(otherImage)).toMatchObject({ code: 'FOREIGN' });
    expect(await read(platform)).toMatchObject({ kind: 'opened' });
  });

  it('tells a terminal whose creation was interrupted from one that belongs elsewhere', async () => {
    const { terminal } = await started();
    const [first] = terminal.records;
    if (!first) throw new Error('no record');
    const elsewhere = new Door(new MemoryPlatform(new Uint8Array(32).fill(7)), seededBytes('reader'));
    const call = async (each: DoorCall) => decode(doorReplyCodec, await elsewhere.call(encode(doorCallCodec, each)));
    await call({ kind: 'load', records: [first] });
    expect(await call({ kind: 'open' })).toMatchObject({ kind: 'refused', code: 'UNBORN' });
    await terminal.expect('invoice', invoice);
    const [, second] = terminal.records;
    if (!second) throw new Error('no record');
    await call({ kind: 'load', records: [second] });
    expect(await call({ kind: 'open' })).toMatchObject({ kind: 'refused', code: 'FOREIGN' });
  });

  it('halts the fork that comes second, before it releases anything', async () => {
    const { terminal, platform } = await started();
    const fork = new Door(platform, seededBytes('fork'));
    const call = async (each: DoorCall) => decode(doorReplyCodec, await fork.call(encode(doorCallCodec, each)));
    await call({ kind: 'load', records: terminal.records });
    expect((await call({ kind: 'open' })).kind).toBe('opened');
    const sealed = await call({ kind: 'frame', now: terminal.now, commands: [invoice] });
    if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
    await terminal.expect('invoice', invoice);
    expect(await call({ kind: 'durable', recordHash: sealed.recordHash })).toMatchObject({
      kind: 'refused',
      code: 'ANCHOR_FAILED',
    });
    expect(await call({ kind: 'frame', now: terminal.now, commands: [{ kind: 'describe' }] })).toMatchObject({
      code: 'ANCHOR_FAILED',
    });
    expect((await terminal.expect('invoices', { kind: 'listInvoices' })).invoices).toHaveLength(1);
  });

  it('goes on from a snapshot once the changes have outgrown it', async () => {
    const { terminal } = await started();
    const description = 'x'.repeat(250);
    for (let round = 0; round < 6; round++)
      await terminal.frame(Array.from({ length: 1000 }, () => ({ ...invoice, description })));
    expect(terminal.records.length).toBeLessThan(6);
    const before = (await terminal.expect('invoices', { kind: 'listInvoices' })).invoices.length;
    expect(await terminal.restart()).toMatchObject({ kind: 'opened', accepted: terminal.records.length });
    expect((await terminal.expect('invoices', { kind: 'listInvoices' })).invoices.length).toBe(before);
  });

  it('has one encoding of the whole state: written, read and written again it is the same', async () => {
    const network = await SimulatedNetwork.of(3);
    const hop = await network.open({ a: 0, b: 1 }, { a: 10n, b: 20n });
    await network.relay(
      0,
      { kind: 'direct', channelId: hop.channelId, amount: 3n, reference: ZERO_32 },
      { hold: true },
    );
    const { terminal } = network.at(0);
    const last = terminal.records.at(-1);
    if (!last) throw new Error('no record');
    const { state } = restore(network.platform.sealingKey, terminal.records, recordHash(last));
    const bytes = encodeState(state);
    expect(encodeState(decodeState(bytes))).toEqual(bytes);
  });
});
