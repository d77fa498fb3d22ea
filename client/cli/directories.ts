/**
 * A terminal's two places: its data directory, which may be backed up and restored, and the platform's, which must not
 * be with it. The platform's register is what finds a rolled-back state out (PROTOCOL.md section 6), so a platform
 * inside the data directory would be rolled back along with it and find nothing.
 */

import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { usageFailure } from './failure.ts';

/** @throws Failure PLATFORM_INSIDE_DATA */
export async function requireApart(places: { data: string; platform: string }): Promise<void> {
  const data = await realPath(places.data);
  const platform = await realPath(places.platform);
  if (!contains(data, platform) && !contains(platform, data)) return;
  throw usageFailure(
    'PLATFORM_INSIDE_DATA',
    `The platform directory ${places.platform} and the data directory ${places.data} must not lie inside each other: ` +
      'a restored backup of one would roll back the other, and an old state could no longer be told from the present one. ' +
      'Choose another --platform.',
  );
}

const contains = (outer: string, inner: string): boolean => {
  const path = relative(outer, inner);
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`));
};

/** With symbolic links followed as far as the path exists. */
async function realPath(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await realPath(parent), basename(absolute));
  }
}
