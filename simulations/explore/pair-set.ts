/** A set of pairs of integers below 2^53, numbered in the order of their coming: tens of bytes a member, no objects. */

const EMPTY = -1;

export class PairSet {
  size = 0;
  #firsts = new Float64Array(1 << 12);
  #seconds = new Float64Array(1 << 12);
  #slots = new Int32Array(1 << 13).fill(EMPTY);

  first(number: number): number {
    return this.#firsts[number] ?? 0;
  }

  second(number: number): number {
    return this.#seconds[number] ?? 0;
  }

  /** True where the pair is new; it is then number `size - 1`. */
  add(first: number, second: number): boolean {
    let slot = this.#slotOf(first, second);
    for (let at = this.#slots[slot]; at !== undefined && at !== EMPTY; at = this.#slots[slot]) {
      if (this.#firsts[at] === first && this.#seconds[at] === second) return false;
      slot = (slot + 1) & (this.#slots.length - 1);
    }
    if (this.size === this.#firsts.length) this.#grow();
    this.#firsts[this.size] = first;
    this.#seconds[this.size] = second;
    this.#place(this.size++);
    return true;
  }

  #slotOf(first: number, second: number): number {
    let hash = Math.imul(first % 4_294_967_296, 0x9e3779b1) ^ Math.imul((first / 4_294_967_296) | 0, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ Math.imul(second % 4_294_967_296, 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 13), 0x165667b1) ^ Math.imul((second / 4_294_967_296) | 0, 0x9e3779b1);
    return (hash ^ (hash >>> 16)) & (this.#slots.length - 1);
  }

  #place(number: number): void {
    let slot = this.#slotOf(this.first(number), this.second(number));
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & (this.#slots.length - 1);
    this.#slots[slot] = number;
  }

  #grow(): void {
    const length = 2 * this.#firsts.length;
    for (const name of ['first', 'second'] as const) {
      const grown = new Float64Array(length);
      grown.set(name === 'first' ? this.#firsts : this.#seconds);
      if (name === 'first') this.#firsts = grown;
      else this.#seconds = grown;
    }
    this.#slots = new Int32Array(2 * length).fill(EMPTY);
    for (let number = 0; number < this.size; number++) this.#place(number);
  }
}
