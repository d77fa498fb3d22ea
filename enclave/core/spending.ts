/**
 * Spending limits and the PIN that lifts them (PROTOCOL.md section 4, "What an owner allowed").
 *
 * They stand against a host program that was taken over: it may ask for orders and direct payments, and gets no more
 * than the limits without the PIN. A wrong PIN is sealed and anchored before the answer leaves, so neither a restart nor
 * a restored copy gives further tries. When the tries are used up the limits stay for good; leaving channels needs no
 * PIN, since it pays the owner's own address.
 */

import { addressCodec, amount, fixed, list, option, struct, type TypeOf, uint8, uint32, uint64 } from './codec.ts';
import { type Decider, type Decision, decided, refused } from './decision.ts';
import { ascii, equalBytes, keyedHash } from './hash.ts';
import type { Address } from './ids.ts';
import { MAX_LIMITS, MAX_PIN_FAILURES } from './limits.ts';
import type { State } from './state.ts';

export const spendingLimitCodec = struct({
  token: addressCodec,
  /** One order with its fees, or one direct payment. */
  perPayment: amount,
  /** All of a day (UTC, by the sealed clock). */
  perDay: amount,
});

const daySpentCodec = struct({ token: addressCodec, day: uint32, spent: amount });
/** One payment up to this amount, that the PIN allowed beyond the limits. */
export const liftedCodec = struct({ token: addressCodec, amount, until: uint64 });

export const spendingCodec = struct({
  limits: list(spendingLimitCodec, MAX_LIMITS),
  pinDigest: option(fixed(32)),
  pinFailures: uint8,
  lifted: option(liftedCodec),
  today: list(daySpentCodec, MAX_LIMITS),
});
export type Spending = TypeOf<typeof spendingCodec>;

export const noLimits = (): Spending => ({ limits: [], pinDigest: null, pinFailures: 0, lifted: null, today: [] });

const DAY_S = 86_400;
/** How long a lifted limit waits for its payment. */
const LIFTED_S = 300;

const dayOf = (clock: number): number => Math.floor(clock / DAY_S);

export function spentToday(state: State, token: Address): bigint {
  const entry = state.spending.today.find((each) => each.token === token);
  return entry && entry.day === dayOf(state.clock) ? entry.spent : 0n;
}

/** Why a payment of this sum is beyond the limits, or null where it is within, or the PIN has allowed it. */
export function whyBeyondLimits(state: State, token: Address, sum: bigint): Decision | null {
  if (!exceeds(state, token, sum) || isLifted(state, token, sum)) return null;
  const limit = state.spending.limits.find((each) => each.token === token);
  return refused(
    'LIMIT_EXCEEDED',
    `The owner allows ${limit?.perPayment ?? 0n} base units a payment and ${limit?.perDay ?? 0n} a day, of which ${spentToday(state, token)} are spent. Lift the limit with the PIN, or pay less.`,
  );
}

function exceeds(state: State, token: Address, sum: bigint): boolean {
  const limit = state.spending.limits.find((each) => each.token === token);
  return limit !== undefined && (sum > limit.perPayment || spentToday(state, token) + sum > limit.perDay);
}

function isLifted(state: State, token: Address, sum: bigint): boolean {
  const { lifted } = state.spending;
  return lifted !== null && lifted.token === token && sum <= lifted.amount && state.clock <= lifted.until;
}

/** Counts what an order or a direct payment may spend; uses up a lifted limit where it was needed. */
export function charge(state: State, token: Address, sum: bigint): void {
  if (!state.spending.limits.some((each) => each.token === token)) return;
  if (exceeds(state, token, sum)) state.spending.lifted = null;
  setSpent(state, token, spentToday(state, token) + sum);
}

/** An order was given up on the day on which it was sealed, or later: what was counted today is given back. */
export function giveBack(state: State, token: Address, sum: bigint): void {
  if (!state.spending.today.some((each) => each.token === token)) return;
  const spent = spentToday(state, token);
  setSpent(state, token, spent > sum ? spent - sum : 0n);
}

function setSpent(state: State, token: Address, spent: bigint): void {
  const others = state.spending.today.filter((each) => each.token !== token);
  state.spending.today = [...others, { token, day: dayOf(state.clock), spent }];
}

const digestOf = (state: State, pin: string): Uint8Array =>
  keyedHash(state.foundation.seed, ascii('baro pin 1'), ascii(pin));

/** Null where no PIN is set or this is it; else the refusal, with the failure as a change that is sealed before it leaves. */
function whyWrongPin(state: State, pin: string | null): Decision | null {
  const { pinDigest, pinFailures } = state.spending;
  if (pinDigest === null) return null;
  if (pinFailures >= MAX_PIN_FAILURES) {
    return refused(
      'PIN_BLOCKED',
      'Too many wrong PINs: the limits stay as they are. Closing channels and withdrawing need no PIN.',
    );
  }
  if (pin === null) return refused('PIN_NEEDED', 'The limits are protected by a PIN; give it.');
  if (equalBytes(digestOf(state, pin), pinDigest)) return null;
  const left = MAX_PIN_FAILURES - pinFailures - 1;
  const wrong = refused('WRONG_PIN', `Wrong PIN; ${left} ${left === 1 ? 'try is' : 'tries are'} left.`);
  return { ...wrong, changes: [{ kind: 'pinFailed' }] };
}

export const setLimits: Decider<'setLimits'> = (state, command) => {
  const { limits, pin, newPin } = command;
  const wrong = whyWrongPin(state, pin);
  if (wrong) return wrong;
  if (new Set(limits.map((each) => each.token)).size !== limits.length) {
    return refused('LIMIT_TWICE', 'Two limits name the same token; give one per token.');
  }
  if (newPin !== null && newPin.length < 4) return refused('PIN_TOO_SHORT', 'A PIN needs at least 4 characters.');
  const pinDigest = newPin === null ? state.spending.pinDigest : digestOf(state, newPin);
  return decided({ kind: 'ok' }, { kind: 'limitsSet', limits, pinDigest });
};

export const liftLimit: Decider<'liftLimit'> = (state, command) => {
  const { pin, token, amount: sum } = command;
  if (state.spending.pinDigest === null) {
    return refused(
      'NO_PIN',
      'No PIN is set, so nothing lifts the limits but changing them; set limits and a PIN together.',
    );
  }
  const wrong = whyWrongPin(state, pin);
  if (wrong) return wrong;
  return decided({ kind: 'ok' }, { kind: 'limitLifted', token, amount: sum, until: state.clock + LIFTED_S });
};

export const showLimits: Decider<'showLimits'> = (state) => {
  const { limits, pinDigest, pinFailures } = state.spending;
  const today = limits.map(({ token }) => ({ token, spent: spentToday(state, token) }));
  const triesLeft = Math.max(0, MAX_PIN_FAILURES - pinFailures);
  return decided({ kind: 'limits', limits, today, hasPin: pinDigest !== null, triesLeft });
};
