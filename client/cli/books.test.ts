import { describe, expect, it } from 'vitest';
import { address } from '../../enclave/core/ids.ts';
import { audit, type Books } from './books.ts';

const alice = address(`0x${'aa'.repeat(20)}`);
const bob = address(`0x${'bb'.repeat(20)}`);

const books = (): Books => ({
  channels: [{ id: '0x01', depositA: 100n, depositB: 0n, creditA: 70n, creditB: 30n, closeTx: '0x02' }],
  owners: [
    { owner: alice, funded: 1_000n, deposited: 100n, gas: 5n, withdrawn: 70n, balance: 965n },
    { owner: bob, funded: 1_000n, deposited: 0n, gas: 3n, withdrawn: 30n, balance: 1_027n },
  ],
  contractBalance: 0n,
});

describe('audit', () => {
  it('finds nothing in books that balance', () => {
    expect(audit(books())).toEqual([]);
  });

  it('finds a channel that credited more or less than it held', () => {
    const off = books();
    off.channels = off.channels.map((channel) => ({ ...channel, creditB: 31n }));
    expect(audit(off)).toEqual(['channel 0x01: deposits 100, credits 101', 'credited 101, withdrawn 100']);
  });

  it('finds an owner who has one base unit too few', () => {
    const off = books();
    off.owners = off.owners.map((owner) => ({ ...owner, balance: owner.balance - (owner.owner === bob ? 1n : 0n) }));
    expect(audit(off)).toEqual([`owner ${bob}: has 1026, should have 1027`]);
  });

  it('finds what was left behind in the contract', () => {
    expect(audit({ ...books(), contractBalance: 1n })).toEqual(['the contract still holds 1']);
  });
});
