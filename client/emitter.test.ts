import { describe, expect, it } from 'vitest';
import { Emitter } from './emitter.ts';

describe('an emitter', () => {
  it('tells every listener, also after one of them threw, and reports what was thrown', () => {
    const errors: unknown[] = [];
    const emitter = new Emitter<{ news: number }>((error) => errors.push(error));
    const heard: number[] = [];
    emitter.on('news', () => {
      throw new Error('broken screen');
    });
    emitter.on('news', (value) => heard.push(value));
    emitter.emit('news', 1);
    expect(heard).toEqual([1]);
    expect(errors).toHaveLength(1);
  });

  it('tells no more to whoever left, or wanted to hear once', () => {
    const emitter = new Emitter<{ news: number }>(() => undefined);
    const heard: string[] = [];
    const off = emitter.on('news', (value) => heard.push(`a${value}`));
    emitter.once('news', (value) => heard.push(`b${value}`));
    emitter.emit('news', 1);
    off();
    emitter.emit('news', 2);
    expect(heard).toEqual(['a1', 'b1']);
  });
});
