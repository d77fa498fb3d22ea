/** Options that many commands have, and where state is kept unless told otherwise. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { z } from 'zod';

const home = (): string => join(homedir(), '.baro');
export const defaultPlatformDirectory = (): string => join(home(), 'platform');

export const dataOption = (): Option =>
  new Option('--data <dir>', "the terminal's directory").env('BARO_DATA').default(join(home(), 'terminal'));

export const directoryInput = z
  .string()
  .min(1, 'must name a directory')
  .transform((text) => resolve(text));

export const BACKGROUND = 'Talks to the terminal that runs on --data (start it with: baro terminal).';
