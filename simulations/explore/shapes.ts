/**
 * Small worlds to explore, as plans: who is joined to whom, which payments are ordered, what else can happen.
 * Amounts are chosen so that the sum of a channel says which of them are in it.
 */

/** Unix seconds at which every exploration begins. */
export const NOW = 1_800_000_000;
/** What each side of each channel paid in. */
export const DEPOSIT = 1000n;

export interface PlannedPayment {
  payer: number;
  payee: number;
  amount: bigint;
  route: { channel: number; from: 'A' | 'B'; part: bigint }[];
  /** The second attempt of the order of this payment. */
  retryOf?: number;
  /** Seconds; 60 unless said otherwise. */
  expiresIn?: number;
}

/** `late`: everything after expiry. `reports`: that a channel was settled. */
export type Omission = 'late' | 'reports';

export interface Shape {
  name: ShapeName;
  terminals: number;
  /** Ends A and B. */
  channels: [number, number][];
  payments: PlannedPayment[];
  /** Direct payments: at most one by each of these terminals. */
  directs: { channel: number; by: number; amount: bigint }[];
  /** A terminal that prepares only with the PRE evidence of all others. */
  prepareLast: number | null;
  /** A participant whose quote nobody accepts. */
  stranger: boolean;
  /** Hosts of dishonest terminals run a second instance. */
  copies: boolean;
  /** Memory for ended payments is short, so that they are forgotten (rules.ts, SHORT_MEMORY). */
  forgetful: boolean;
  /** Moves that are left out here and explored in other shapes (README.md, Reductions). */
  omits: readonly Omission[];
}

export const SHAPE_NAMES = [
  'line',
  'crossing',
  'parallel',
  'retry',
  'split',
  'direct',
  'copies',
  'forgotten',
  'last',
  'stranger',
] as const;
export type ShapeName = (typeof SHAPE_NAMES)[number];

/** How many participants a shape can have; the first is what it has unless told otherwise. */
export const SIZES: Record<ShapeName, readonly number[]> = {
  line: [3, 2, 4],
  crossing: [2, 3],
  parallel: [2],
  retry: [2],
  split: [3],
  direct: [2],
  copies: [2, 3],
  forgotten: [2, 3],
  last: [3, 2],
  stranger: [3, 2],
};

const PLAIN = {
  directs: [],
  prepareLast: null,
  stranger: false,
  copies: false,
  forgetful: false,
  omits: [],
} satisfies Partial<Shape>;

/** A line of terminals, and one payment from its first to its last. */
function line(terminals: number): Pick<Shape, 'terminals' | 'channels' | 'payments'> {
  const channels = Array.from({ length: terminals - 1 }, (_, index): [number, number] => [index, index + 1]);
  const route = channels.map((_, channel) => ({ channel, from: 'A' as const, part: 100n }));
  return { terminals, channels, payments: [{ payer: 0, payee: terminals - 1, amount: 100n, route }] };
}

/** @throws RangeError for a size that the shape does not have */
export function shapeOf(name: ShapeName, terminals: number): Shape {
  if (!SIZES[name].includes(terminals)) {
    const sizes = [...SIZES[name]].sort().join(' or ');
    throw new RangeError(`The shape ${name} has ${sizes} participants, not ${terminals}.`);
  }
  const plain = { ...PLAIN, name };
  switch (name) {
    case 'line':
      return { ...plain, ...line(terminals) };
    case 'copies':
      return { ...plain, ...line(terminals), copies: true };
    case 'forgotten':
      return { ...plain, ...(terminals === 2 ? twoOfTwo : line(terminals)), forgetful: true };
    case 'last':
      return { ...plain, ...line(terminals), prepareLast: 1 };
    case 'stranger':
      return { ...plain, ...line(terminals), stranger: true };
    case 'direct':
      return {
        ...plain,
        ...line(2),
        directs: [
          { channel: 0, by: 0, amount: 10n },
          { channel: 0, by: 1, amount: 1n },
        ],
      };
    case 'crossing':
      return { ...plain, ...crossing(terminals) };
    case 'parallel':
      return { ...plain, ...parallel };
    case 'retry':
      return { ...plain, ...retry, omits: ['late', 'reports'] };
    case 'split':
      return { ...plain, ...split };
  }
}

/** The second payment can only be made with what the first brings: HELD while that is in POST-UPDATE. */
function crossing(terminals: number): Pick<Shape, 'terminals' | 'channels' | 'payments'> {
  const channel = terminals - 2;
  const [left, right] = [channel, channel + 1];
  const way = Array.from({ length: terminals - 1 }, (_, hop) => ({ channel: hop, from: 'A' as const, part: 1000n }));
  return {
    terminals,
    channels: line(terminals).channels,
    payments: [
      { payer: 0, payee: right, amount: 1000n, route: way },
      { payer: right, payee: left, amount: 1100n, route: [{ channel, from: 'B', part: 1100n }] },
    ],
  };
}

/** Either payment can be made, both cannot: together they are more than the payer has. */
const parallel: Pick<Shape, 'terminals' | 'channels' | 'payments'> = {
  terminals: 2,
  channels: [[0, 1]],
  payments: [
    { payer: 0, payee: 1, amount: 600n, route: [{ channel: 0, from: 'A', part: 600n }] },
    { payer: 0, payee: 1, amount: 700n, route: [{ channel: 0, from: 'A', part: 700n }] },
  ],
};

/** Two payments that expire one after the other: with memory for one, the chain's ending the second forgets the first. */
const twoOfTwo: Pick<Shape, 'terminals' | 'channels' | 'payments'> = {
  terminals: 2,
  channels: [[0, 1]],
  payments: [
    { payer: 0, payee: 1, amount: 100n, route: [{ channel: 0, from: 'A', part: 100n }], expiresIn: 30 },
    { payer: 0, payee: 1, amount: 10n, route: [{ channel: 0, from: 'A', part: 10n }] },
  ],
};

/** Two attempts of one order between terminals that share two channels: over both, then over the first alone. */
const retry: Pick<Shape, 'terminals' | 'channels' | 'payments'> = {
  terminals: 2,
  channels: [
    [0, 1],
    [0, 1],
  ],
  payments: [
    {
      payer: 0,
      payee: 1,
      amount: 110n,
      route: [
        { channel: 0, from: 'A', part: 100n },
        { channel: 1, from: 'A', part: 10n },
      ],
    },
    { payer: 0, payee: 1, amount: 110n, route: [{ channel: 0, from: 'A', part: 110n }], retryOf: 0 },
  ],
};

/** One payment over two routes: through the terminal in the middle, and directly. */
const split: Pick<Shape, 'terminals' | 'channels' | 'payments'> = {
  terminals: 3,
  channels: [
    [0, 1],
    [1, 2],
    [0, 2],
  ],
  payments: [
    {
      payer: 0,
      payee: 2,
      amount: 110n,
      route: [
        { channel: 0, from: 'A', part: 100n },
        { channel: 1, from: 'A', part: 100n },
        { channel: 2, from: 'A', part: 10n },
      ],
    },
  ],
};
