import type { Edit } from './rules.ts';

export function edited(text: string, edit: Edit): string;
export function load(entry: string, edits?: readonly Edit[]): Promise<unknown>;
