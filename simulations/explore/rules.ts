/**
 * Rules of the protocol, each with the edit that takes it out of the sources of one exploration. Nothing in the sources
 * knows of this: what ships has no switch. A test asserts that every edit still finds its text exactly once.
 */

import type { ShapeName } from './shapes.ts';

/** A change of one source file, made while bundling an exploration. */
export interface Edit {
  file: string;
  /** Must occur exactly once. */
  find: string;
  replace: string;
}

export interface Rule {
  name: string;
  /** What goes without it. */
  without: string;
  edits: readonly Edit[];
  /** The shapes that exercise it, smallest first. */
  shapes: readonly (readonly [ShapeName, number])[];
}

/** Every memory for ended payments is short, so that explorations forget: not a rule, but a size. */
export const SHORT_MEMORY: readonly Edit[] = [
  {
    file: 'enclave/core/limits.ts',
    find: 'export const MAX_TOMBSTONES = 65_536;',
    replace: 'export const MAX_TOMBSTONES = 8;',
  },
  {
    file: 'enclave/core/limits.ts',
    find: 'export const MAX_CHAIN_RESOLVED = 4_096;',
    replace: 'export const MAX_CHAIN_RESOLVED = 1;',
  },
];

const core = (file: string, find: string, replace: string): Edit => ({
  file: `enclave/core/${file}.ts`,
  find,
  replace,
});
const contract = (find: string, replace: string): Edit => ({ file: 'simulations/contract-model.ts', find, replace });
const LINES = [
  ['line', 2],
  ['line', 3],
] as const;

/** `others` as the terminals at the far ends of a payment's own transfers. */
const NEIGHBOURS =
  'payment.others.filter((other) => payment.about.transfers.some((own) => state.channels.get(own.channelId)?.peer === other.identity))';

export const RULES: readonly Rule[] = [
  {
    name: 'update-without-all-pre',
    without: 'POST-UPDATE needs only the neighbours’ PRE evidence',
    edits: [
      core(
        'round',
        "expectedEvidence(state, payment.others, { tag: 'PRE', paymentId })",
        `expectedEvidence(state, ${NEIGHBOURS}, { tag: 'PRE', paymentId })`,
      ),
    ],
    shapes: [['line', 3]],
  },
  {
    name: 'complete-without-all-post',
    without: 'completion needs only the neighbours’ POST evidence',
    edits: [
      core(
        'round',
        "expectedEvidence(state, payment.others, { tag: 'POST', paymentId })",
        `expectedEvidence(state, ${NEIGHBOURS}, { tag: 'POST', paymentId })`,
      ),
    ],
    shapes: [['line', 3]],
  },
  {
    name: 'abort-on-hub-word',
    without: 'an enclave in PRE-UPDATE unlocks when the hub says so, with no REJECT evidence',
    edits: [
      core(
        'round',
        "if (!isProvenBy(state, payment, { ...asked, tag: 'REJECT' }))",
        'if (payment.others.length === 0)',
      ),
    ],
    shapes: LINES,
  },
  {
    name: 'update-after-exit',
    without: 'an enclave that signed an exit in PRE-UPDATE still moves to POST-UPDATE',
    edits: [core('changes', "if (payment.about.phase === 'PRE-UPDATE') payment.about.frozen = true;", '')],
    shapes: LINES,
  },
  {
    name: 'prepare-after-reject',
    without: 'a rejection leaves no tombstone',
    edits: [core('changes', 'bury(state, { ...tombstone, about: null });', 'void tombstone;')],
    shapes: LINES,
  },
  {
    name: 'prepare-after-exit',
    without: 'an enclave that signed an exit of a channel still prepares payments over it',
    edits: [
      core(
        'agreement',
        "if (channel.exit || channel.settled) {\n    return { code: 'CHANNEL_CLOSING'",
        "if (channel.settled) {\n    return { code: 'CHANNEL_CLOSING'",
      ),
    ],
    shapes: LINES,
  },
  {
    name: 'reject-after-pre',
    without: 'an enclave forgets a payment that the chain has ended after its expiry, and rejects it when asked again',
    edits: [
      core(
        'changes',
        'state.resolved.set(tombstone.paymentId, tombstone);',
        'if (tombstone.expiry >= state.clock) state.resolved.set(tombstone.paymentId, tombstone);',
      ),
    ],
    shapes: LINES,
  },
  {
    name: 'last-eject-wins',
    without: 'the contract lets a later exit overwrite the recorded outcome',
    edits: [contract('const outcome = written(recorded(payment), writes);', 'const outcome = writes;')],
    shapes: LINES,
  },
  {
    name: 'no-eject-record',
    without: 'the contract settles every exit by its own claim and records nothing',
    edits: [
      contract(
        'const outcome = written(recorded(payment), writes);\n    outcomes.set(payment, outcome);',
        'const outcome = writes;',
      ),
    ],
    shapes: LINES,
  },
  {
    name: 'outcome-by-anyone',
    without: 'the contract records an outcome without proof that the payment has a transfer over the channel',
    edits: [contract('const payment = rebuildPayment(domain, channel, record);', 'const payment = record.paymentId;')],
    shapes: LINES,
  },
  {
    name: 'prepare-after-forgetting',
    without: 'the sealed clock may run back: a forgotten payment is prepared again',
    edits: [core('machine', 'state.clock = Math.max(state.clock, frame.now);', 'state.clock = frame.now;')],
    shapes: [
      ['forgotten', 2],
      ['forgotten', 3],
    ],
  },
  {
    name: 'stale-record',
    without: 'an instance that the register has left behind still signs a record',
    edits: [
      core(
        'door',
        'if (!(await this.#platform.swapRegister(log, held.from?.hash ?? null, hash))) {',
        "if (!(await this.#platform.swapRegister(log, held.from?.hash ?? null, hash))) {\n      if (held.release.kind === 'results' && held.release.results.every((each) => each.kind === 'record')) return held.release;",
      ),
    ],
    shapes: [['copies', 2]],
  },
  {
    name: 'reflection',
    without: 'evidence does not say who made it: a terminal accepts its own from anybody',
    edits: [core('pair', 'input.set(toBytes(about.sender), 33);', '')],
    shapes: LINES,
  },
  {
    name: 'order-twice',
    without: 'an order that is bound to a payment allows another one',
    edits: [core('allowance', "if (entry.status === 'bound') return 'ORDER_IN_USE';", '')],
    shapes: [['retry', 2]],
  },
  {
    name: 'direct-in-round-sums',
    without: 'direct payments share one counter with finished rounds, which the payee takes over from the payer',
    edits: [
      core(
        'agreement',
        'directTotal: channel.own.direct + amount,',
        'directTotal: channel.own.direct + channel.own.round + amount,',
      ),
      core('delivery', ' || directTotal !== channel.theirs.direct + amount', ''),
      core(
        'delivery',
        "{ kind: 'directReceived', channelId, amount });",
        "{ kind: 'directReceived', channelId, amount: directTotal > channel.theirs.direct + channel.theirs.round ? directTotal - channel.theirs.direct - channel.theirs.round : 0n });",
      ),
    ],
    shapes: [['direct', 2]],
  },
  {
    name: 'participant-twice',
    without: 'evidence is added up over a list of participants in which one may occur twice, and so cancels out',
    edits: [
      core('preparation', "(participants[index - 1] ?? '') < each", "(participants[index - 1] ?? '') <= each"),
      core('preparation', 'named.size !== participants.length || ', ''),
    ],
    shapes: LINES,
  },
  {
    name: 'lock-per-transfer',
    without: 'each transfer is compared with the whole balance, whatever else is pending',
    edits: [
      core('channel', 'ownBalance(channel) - pendingSums(state, channel.channelId).out;', 'ownBalance(channel);'),
    ],
    shapes: [['parallel', 2]],
  },
  {
    name: 'release-before-anchor',
    without: 'evidence leaves before its record is sealed and the register swapped',
    edits: [
      core(
        'door',
        'if (changes.length === 0) return release;',
        "if (changes.length === 0 || call.commands.every((each) => each.kind === 'step')) return release;",
      ),
    ],
    shapes: [['copies', 2]],
  },
  {
    name: 'planted-key',
    without: 'evidence counts under a key whose quote the owner’s policy refuses',
    edits: [
      core(
        'preparation',
        "if (others.some((other) => acceptedPeer(state, other.identity) === null)) return 'PARTICIPANT_REFUSED';",
        '',
      ),
    ],
    shapes: [
      ['stranger', 2],
      ['stranger', 3],
    ],
  },
  {
    name: 'order-released-by-one-void',
    without: 'an order is free again as soon as one transfer of its payment is resolved as VOID',
    edits: [
      core(
        'changes',
        "if (transfers.every((transfer) => transfer.resolved === 'VOID')) bind(state, payment, 'open');",
        '',
      ),
      core(
        'changes',
        'if (transfers.some((transfer) => transfer.resolved === null)) return;',
        "if (by.outcome === 'VOID') bind(state, payment, 'open');\n  if (transfers.some((transfer) => transfer.resolved === null)) return;",
      ),
    ],
    shapes: [['retry', 2]],
  },
  {
    name: 'forget-without-watermark',
    without:
      'a payment that the chain has ended is forgotten without a watermark, and rejected as unknown when asked again',
    edits: [core('changes', 'state.watermark = Math.max(state.watermark, oldest.expiry);', '')],
    shapes: [['forgotten', 2]],
  },
  {
    name: 'update-after-record',
    without: 'an enclave that signed VOID still moves to POST-UPDATE',
    edits: [core('changes', 'mustPayment(state, change.paymentId).about.frozen = true;', '')],
    shapes: LINES,
  },
  {
    name: 'consent-of-either',
    without: 'an outcome counts on a channel by the word of the side that gains by it',
    edits: [
      core('leaving', "if (transfer.outgoing !== (outcome === 'APPLIED')) {", 'if (transfer.amount === 0n) {'),
      core('delivery', "if (transfer.outgoing !== (outcome === 'VOID')) {", 'if (transfer.amount === 0n) {'),
    ],
    shapes: LINES,
  },
];
