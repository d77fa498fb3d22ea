import { describe, expect, it } from 'vitest';
import type { ChannelIdentity } from '../enclave/core/channel-identity.ts';
import { isSessionSignature } from '../enclave/core/credential.ts';
import { domainSeparator, hashChannelIdentity, hashPayment } from '../enclave/core/encoding.ts';
import { address, bytes16, bytes32, type Identity, NATIVE, ZERO_32 } from '../enclave/core/ids.ts';
import type { Step } from '../enclave/core/round-messages.ts';
import type { HubMessage, TerminalMessage } from '../enclave/core/wire.ts';
import { whyNotAgreed } from './proposals.ts';
import { audienceOf, Session, type SessionNews } from './session.ts';
import { CoreEnclave } from './testing/core-enclave.ts';

const contract = address(`0x${'c0'.repeat(20)}`);
const deployment = { chainId: 1n, contract, domain: domainSeparator(1n, contract) };
const POLICY = { forwarding: [], acceptAnything: true, prepareLast: false, maxPending: 100 };
const AUDIENCE = 'hub.example:8080';
const CHALLENGE = bytes32(`0x${'11'.repeat(32)}`);

/** A session over an enclave of its own; what it sends is kept. */
class Party {
  readonly enclave: CoreEnclave;
  readonly payout;
  readonly sent: TerminalMessage[][] = [];
  readonly news: SessionNews[] = [];
  readonly session: Session;
  /** Called with every frame it sends. */
  onSend: (messages: TerminalMessage[]) => void = () => undefined;

  constructor(seed: number) {
    this.enclave = new CoreEnclave(seed, deployment, POLICY);
    this.payout = address(`0x${seed.toString(16).padStart(2, '0').repeat(20)}`);
    const rules = { payout: this.payout, tokens: [NATIVE], maxChallengePeriodS: 0 };
    this.session = new Session({
      enclave: this.enclave,
      deployment,
      audience: AUDIENCE,
      send: (messages) => {
        this.sent.push(messages);
        this.onSend(messages);
      },
      profile: (self) => ({ name: `party ${seed}`, payout: this.payout, policy: self.policy }),
      judge: async (proposal) => {
        const { channels } = await this.enclave.run({ kind: 'listChannels' });
        return whyNotAgreed(proposal, rules, channels);
      },
      news: (news) => this.news.push(news),
    });
  }

  get identity(): Identity {
    return this.enclave.identity;
  }
  heard(kind: TerminalMessage['kind']): TerminalMessage[] {
    return this.sent.flat().filter((message) => message.kind === kind);
  }
}

/** Hands messages between two sessions as a hub does, each in its own turn. */
class Wire {
  readonly #parties: Map<Identity, Party>;
  /** Nothing is handed over while true. */
  cut = false;

  constructor(...parties: Party[]) {
    this.#parties = new Map(parties.map((party) => [party.identity, party]));
    for (const party of parties) party.onSend = (messages) => this.#take(party, messages);
  }

  #take(from: Party, messages: TerminalMessage[]): void {
    if (this.cut) return;
    for (const message of messages) {
      if (message.kind === 'relay')
        this.#give(message.to, { kind: 'relayed', from: from.identity, message: message.message });
      if (message.kind === 'propose') {
        this.#give(message.to, { ...message, kind: 'proposed', from: from.identity });
      }
      if (message.kind === 'lookup') void this.#lookup(from, message.identity);
    }
  }

  async #lookup(asker: Party, wanted: Identity): Promise<void> {
    const party = this.#parties.get(wanted);
    if (!party) return this.#give(asker.identity, { kind: 'notFound', identity: wanted });
    const { credential, certificates, policy } = await party.enclave.run({ kind: 'describe' });
    const profile = { name: '', payout: party.payout, policy };
    this.#give(asker.identity, { kind: 'found', credential, certificates, profile, online: true });
  }

  #give(to: Identity, message: HubMessage): void {
    setImmediate(() => void this.#parties.get(to)?.session.receive([message]));
  }
}

/** Until nothing is under way any more between parties that hand over in turns of the event loop. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const welcome: HubMessage[] = [{ kind: 'welcome', heartbeatMs: 1_000 }];
const channelBetween = (alice: Party, bob: Party, change: Partial<ChannelIdentity> = {}): ChannelIdentity => ({
  partyA: alice.identity,
  partyB: bob.identity,
  payoutA: alice.payout,
  payoutB: bob.payout,
  token: NATIVE,
  challengePeriod: 0,
  salt: bytes16(`0x${'05'.repeat(16)}`),
  ...change,
});

async function connected(): Promise<{ alice: Party; bob: Party; wire: Wire; channel: ChannelIdentity }> {
  const [alice, bob] = [new Party(1), new Party(2)];
  const wire = new Wire(alice, bob);
  await Promise.all([alice, bob].map((party) => party.session.receive(welcome)));
  await alice.session.lookup(bob.identity);
  const channel = channelBetween(alice, bob);
  await alice.session.propose({ peer: bob.identity, channel, side: 'A' });
  await quiet();
  return { alice, bob, wire, channel };
}

describe('a session', () => {
  it('proves its identity to the hub that asks, and is online after the welcome', async () => {
    const alice = new Party(1);
    await alice.session.receive([{ kind: 'challenge', chainId: 1n, contract, challenge: CHALLENGE }]);
    const [hello] = alice.sent.flat();
    if (hello?.kind !== 'hello') throw new Error('no hello');
    const { signature, credential, audience } = hello;
    expect([credential.identity, audience]).toEqual([alice.identity, AUDIENCE]);
    const proof = { identity: alice.identity, challenge: CHALLENGE, audience, signature };
    expect(isSessionSignature(deployment.domain, proof)).toBe(true);
    expect(isSessionSignature(deployment.domain, { ...proof, audience: 'other.example:8080' })).toBe(false);
    expect(alice.session.online).toBe(false);
    await alice.session.receive(welcome);
    expect(alice.session.online).toBe(true);
  });

  it.each([
    ['ws://Hub.Example:8080/', 'hub.example:8080'],
    ['wss://hub.example', 'hub.example'],
    ['wss://hub.example:443/path', 'hub.example'],
    ['ws://[0:0::1]:9', '[::1]:9'],
  ])('names the hub as it is dialled: %s is %s', (url, audience) => {
    expect(audienceOf(url)).toBe(audience);
  });

  it('asks what a payment would take, and tells answers apart', async () => {
    const alice = new Party(1);
    await alice.session.receive(welcome);
    const wish = { payee: new Party(2).identity, token: NATIVE, amount: 5n };
    const [first, second] = [alice.session.quote(wish), alice.session.quote({ ...wish, amount: 6n })];
    const refused = expect(second).rejects.toMatchObject({ code: 'NO_ROUTE', message: 'why' });
    const [one, two] = alice.heard('routeRequest');
    if (one?.kind !== 'routeRequest' || two?.kind !== 'routeRequest') throw new Error('nothing was asked');
    expect([one, two]).toMatchObject([wish, { ...wish, amount: 6n }]);
    const none = { hops: 0, fee: 0n, expectedMs: 0 };
    const quoted = { hops: 3, fee: 2n, expectedMs: 130 };
    await alice.session.receive([
      { kind: 'routeQuote', requestId: two.requestId, code: 'NO_ROUTE', message: 'why', ...none },
      { kind: 'routeQuote', requestId: one.requestId, code: '', message: '', ...quoted },
      // Answers to nothing are nobody's.
      { kind: 'routeQuote', requestId: one.requestId, code: '', message: '', ...quoted },
    ]);
    await refused;
    expect(await first).toEqual(quoted);
    const lost = expect(alice.session.quote(wish)).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    alice.session.disconnected();
    await lost;
  });

  it('tells a hub of another chain nothing', async () => {
    const alice = new Party(1);
    await alice.session.receive([{ kind: 'challenge', chainId: 2n, contract, challenge: CHALLENGE }]);
    expect(alice.sent.flat()).toEqual([]);
    expect(alice.news).toMatchObject([{ kind: 'refused', session: true, code: 'WRONG_CHAIN' }]);
  });

  it('gives all steps of a frame to the enclave in one frame and answers them in one, in order', async () => {
    const alice = new Party(1);
    await alice.session.receive(welcome);
    const frames = alice.enclave.frames.length;
    const cancels = [1, 2, 3].map((number): HubMessage => {
      const terms = {
        nonce: bytes16(`0x0${number}`.padEnd(34, '0')),
        ...{ invoice: ZERO_32, expiry: 1_800_000_060, transfers: [] },
      };
      return { kind: 'step', step: { kind: 'cancel', terms, participants: [alice.identity] } };
    });
    await alice.session.receive(cancels);
    expect(alice.enclave.frames.slice(frames)).toEqual([['step', 'step', 'step']]);
    expect(alice.sent.at(-1)?.map((message) => message.kind)).toEqual(['answer', 'answer', 'answer']);
  });

  it('agrees to a proposal that pays out to its owner, looking the proposer up first; both enclaves then agree', async () => {
    const { alice, bob, channel } = await connected();
    const channelId = hashChannelIdentity(deployment.domain, channel);
    for (const party of [alice, bob]) {
      const { channels } = await party.enclave.run({ kind: 'listChannels' });
      expect(channels).toMatchObject([{ channelId, agreed: true }]);
    }
    expect(bob.heard('lookup')).toHaveLength(1);
    expect(bob.news).toContainEqual({ kind: 'proposal', from: alice.identity, channelId, refused: null });
  });

  it.each<[string, Partial<ChannelIdentity>]>([
    ['that pays its side out to somebody else', { payoutB: address(`0x${'99'.repeat(20)}`) }],
    ['in a token that it does not know', { token: address(`0x${'98'.repeat(20)}`) }],
    ['with a longer challenge period than it takes', { challengePeriod: 1 }],
  ])('refuses a proposal %s, and says why to its owner alone', async (_, change) => {
    const { alice, bob } = await connected();
    const sent = bob.sent.length;
    const channel = channelBetween(alice, bob, { ...change, salt: bytes16(`0x${'06'.repeat(16)}`) });
    await bob.session.receive([{ kind: 'proposed', from: alice.identity, channel, side: 'A' }]);
    await quiet();
    expect(bob.news.at(-1)).toMatchObject({ kind: 'proposal', refused: expect.any(String) as string });
    expect(bob.sent.length).toBe(sent);
    const { channels } = await bob.enclave.run({ kind: 'listChannels' });
    expect(channels).toHaveLength(1);
  });

  it('takes no more than a few unfunded channels from one terminal', async () => {
    const { alice, bob } = await connected();
    for (let number = 0; number < 40; number++) {
      const channel = channelBetween(alice, bob, { salt: bytes16(`0x${number.toString(16).padStart(32, '0')}`) });
      await bob.session.receive([{ kind: 'proposed', from: alice.identity, channel, side: 'A' }]);
    }
    await quiet();
    const { channels } = await bob.enclave.run({ kind: 'listChannels' });
    expect(channels).toHaveLength(16);
  });

  it('reports a confirmed deposit to the hub, and a direct payment reaches the peer’s enclave', async () => {
    const { alice, bob, channel } = await connected();
    const channelId = hashChannelIdentity(deployment.domain, channel);
    const { messages } = await bob.enclave.run({ kind: 'confirmDeposit', channelId, total: 1_000n });
    bob.session.relay(alice.identity, messages);
    await quiet();
    expect(alice.heard('balances').at(-1)).toEqual({
      kind: 'balances',
      balances: [{ channelId, spendable: 1_000n }],
    });
    const direct = await alice.enclave.run({ kind: 'direct', channelId, amount: 10n, reference: ZERO_32 });
    alice.session.relay(bob.identity, direct.messages);
    await quiet();
    expect(bob.news).toContainEqual({
      kind: 'notice',
      from: alice.identity,
      notice: { kind: 'directReceived', channelId, sequence: 1, amount: 10n, reference: ZERO_32 },
    });
    expect(alice.news.at(-1)).toMatchObject({ notice: { kind: 'directAcknowledged', sequence: 1 } });
  });

  it('writes again, when the peer comes online, what was lost on the way', async () => {
    const { alice, bob, wire, channel } = await connected();
    const channelId = hashChannelIdentity(deployment.domain, channel);
    const { messages } = await bob.enclave.run({ kind: 'confirmDeposit', channelId, total: 1_000n });
    wire.cut = true;
    bob.session.relay(alice.identity, messages);
    await quiet();
    wire.cut = false;
    await bob.session.receive([{ kind: 'presence', identity: alice.identity, online: true }]);
    await quiet();
    const { channels } = await alice.enclave.run({ kind: 'listChannels' });
    expect(channels).toMatchObject([{ ownDeposit: 1_000n }]);
  });

  it('tells trouble and goes on where a peer’s message is forged or the hub introduces nonsense', async () => {
    const { alice, bob } = await connected();
    const { credential } = await bob.enclave.run({ kind: 'describe' });
    const forged = { ...credential, exchangeKey: bytes32(`0x${'09'.repeat(32)}`) };
    await alice.session.receive([
      { kind: 'relayed', from: bob.identity, message: new Uint8Array(120) },
      { kind: 'introduce', credential: forged, certificates: [] },
    ]);
    expect(alice.news.slice(-2)).toMatchObject([
      { kind: 'trouble', code: 'MALFORMED' },
      { kind: 'trouble', code: 'FORGED_CREDENTIAL' },
    ]);
    expect(alice.session.online).toBe(true);
  });

  it('ends lookups with words when the terminal is unknown or the connection is lost', async () => {
    const [alice, stranger] = [new Party(1), new Party(3)];
    await alice.session.receive(welcome);
    const unknown = alice.session.lookup(stranger.identity);
    await alice.session.receive([{ kind: 'notFound', identity: stranger.identity }]);
    await expect(unknown).rejects.toMatchObject({ code: 'UNKNOWN_PEER' });
    const lost = alice.session.lookup(stranger.identity);
    alice.session.disconnected();
    await expect(lost).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
  });

  it('carries out a step once however often the hub repeats it', async () => {
    const { alice, bob, channel } = await connected();
    const channelId = hashChannelIdentity(deployment.domain, channel);
    const { messages } = await bob.enclave.run({ kind: 'confirmDeposit', channelId, total: 1_000n });
    bob.session.relay(alice.identity, messages);
    await quiet();
    const wish = { payee: bob.identity, token: NATIVE, amount: 5n, maxFee: 0n, invoice: ZERO_32 };
    const { order } = await alice.enclave.run({ kind: 'order', ...wish, expiry: alice.enclave.nowS + 60 });
    const { orderNonce } = await import('../enclave/core/order.ts');
    const transfer = { channelId, payer: alice.identity, payee: bob.identity, token: NATIVE, amount: 5n };
    const terms = {
      nonce: orderNonce(order.orderId, 0),
      invoice: ZERO_32,
      expiry: order.expiry,
      transfers: [transfer],
    };
    const participants = [alice.identity, bob.identity].sort();
    const step: Step = { kind: 'prepare', terms, participants, preEvidence: null };
    await alice.session.receive([
      { kind: 'step', step },
      { kind: 'step', step },
    ]);
    const answers = alice.sent.at(-1) ?? [];
    expect(answers).toHaveLength(2);
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({
      answer: { kind: 'prepared', paymentId: hashPayment(deployment.domain, terms), balances: [{ spendable: 995n }] },
    });
  });
});
