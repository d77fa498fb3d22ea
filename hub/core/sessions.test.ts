import { expect, test } from 'vitest';
import { bytes16, NATIVE } from '../../enclave/core/ids.ts';
import { addressNumber, channelNumber, terminalNumber } from '../testing/names.ts';
import { FakeNetwork } from '../testing/network.ts';

function pair(): FakeNetwork {
  const network = new FakeNetwork();
  network.join(1);
  network.join(2);
  network.open(1, [1, 2], [100n, 0n]);
  return network;
}

/** The core is told of verified certificates only (hub/net/hello.ts). */
const unchecked = `0x${'11'.repeat(65)}` as const;

const kinds = (network: FakeNetwork, number: number): string[] =>
  network.terminal(number).received.map((each) => each.kind);

test('a terminal is welcomed first, and neighbours hear of each other', () => {
  const network = pair();
  network.disconnect(2);
  expect(network.terminal(1).received.at(-1)).toEqual({ kind: 'presence', identity: terminalNumber(2), online: false });
  network.terminal(2).received.length = 0;
  network.connect(2);
  expect(kinds(network, 2)).toEqual(['welcome', 'presence']);
  expect(network.terminal(1).received.at(-1)).toEqual({ kind: 'presence', identity: terminalNumber(2), online: true });
});

test('a newer session of the same terminal replaces the older, which is told', () => {
  const network = pair();
  const older = network.sessionOf(1);
  network.connect(1);
  expect(network.closed).toMatchObject([{ session: older, code: 'ALREADY_CONNECTED' }]);
  network.feed({ kind: 'disconnected', session: older });
  network.order(1, 2);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('pair messages and proposals are handed over behind an introduction, or come back as undeliverable', () => {
  const network = pair();
  const message = new Uint8Array([1, 2, 3]);
  network.say(1, { kind: 'relay', to: terminalNumber(2), message });
  network.say(1, { kind: 'relay', to: terminalNumber(2), message });
  const heard = network.terminal(2).received.slice(-3);
  expect(heard.map((each) => each.kind)).toEqual(['introduce', 'relayed', 'relayed']);
  expect(heard.at(-1)).toEqual({ kind: 'relayed', from: terminalNumber(1), message });
  const party = addressNumber(1);
  const salt = bytes16(`0x${'00'.repeat(16)}`);
  const channel = {
    partyA: party,
    partyB: party,
    payoutA: party,
    payoutB: party,
    token: NATIVE,
    challengePeriod: 0,
    salt,
  };
  network.say(1, { kind: 'propose', to: terminalNumber(2), channel, side: 'A' });
  expect(network.terminal(2).received.at(-1)).toEqual({
    kind: 'proposed',
    from: terminalNumber(1),
    channel,
    side: 'A',
  });
  network.disconnect(2);
  network.say(1, { kind: 'relay', to: terminalNumber(2), message });
  expect(network.terminal(1).received.at(-1)).toEqual({ kind: 'undeliverable', to: terminalNumber(2) });
});

test('a lookup finds terminals by identity, online or not, and says where there is none', () => {
  const network = pair();
  network.disconnect(2);
  network.say(1, { kind: 'lookup', identity: terminalNumber(2) });
  expect(network.terminal(1).received.at(-1)).toMatchObject({
    kind: 'found',
    online: false,
    profile: { name: '0002' },
  });
  network.say(1, { kind: 'lookup', identity: terminalNumber(9) });
  expect(network.terminal(1).received.at(-1)).toEqual({ kind: 'notFound', identity: terminalNumber(9) });
});

test('a channel of a virtual address enters the map when its owner announces the certificate', () => {
  const network = pair();
  const virtual = addressNumber(0xabc);
  const salt = bytes16(`0x${'00'.repeat(16)}`);
  const [partyA, partyB] = [virtual, terminalNumber(2)];
  const identity = { partyA, partyB, payoutA: partyA, payoutB: partyB, token: NATIVE, challengePeriod: 0, salt };
  const channelId = channelNumber(77);
  network.chain([
    { kind: 'opened', channelId, identity },
    { kind: 'deposited', channelId, side: 'A', total: 500n },
  ]);
  expect(network.state.map.graph.size).toBe(2);
  const { profile } = network.terminal(1);
  const certificates = [{ address: virtual, signature: unchecked, addressSignature: unchecked }];
  network.say(1, { kind: 'announce', certificates, profile });
  network.say(1, { kind: 'balances', balances: [{ channelId, spendable: 500n }] });
  expect(network.state.map.graph.size).toBe(4);
  network.terminal(1).balances.set(channelId, 500n);
  network.order(1, 2, { amount: 400n });
  expect([...network.payments.values()].at(-1)?.terms.transfers[0]?.payer).toBe(virtual);
});

test('an address that two terminals certify stays with the first', () => {
  const network = pair();
  const { profile } = network.terminal(2);
  const certificates = [{ address: terminalNumber(1), signature: unchecked, addressSignature: unchecked }];
  network.say(2, { kind: 'announce', certificates, profile });
  expect(network.state.addressOwner.get(terminalNumber(1))).toBe(terminalNumber(1));
  expect(network.logs.at(-1)?.message).toContain('two terminals');
});

test('a measured round trip reaches the map', () => {
  const network = pair();
  network.feed({ kind: 'roundTrip', session: network.sessionOf(1), rttMs: 123 });
  expect(network.state.map.node(terminalNumber(1))?.rttMs).toBe(123);
});
