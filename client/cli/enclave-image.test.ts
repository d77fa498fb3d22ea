import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address, bytes32 } from '../../enclave/core/ids.ts';
import { measure, readImage } from '../../enclave/host/image-file.ts';
import { EmulatedPlatform } from '../../enclave/host/platform.ts';
import { openStorage } from '../storage.ts';
import { PLAIN } from '../testing/network.ts';
import { chooseImage, imageFile, keepImage, stateDirectory } from './enclave-image.ts';

let directory: string;
let data: string;
const installed = readImage();
/** An earlier release: other bytes, the same behaviour. */
const earlier = measure(Buffer.concat([installed.bytes, Buffer.from('\n// an earlier release\n')]));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-image-'));
  data = join(directory, 'data');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Starts the enclave of this data directory with an image, as a daemon does. @returns its identity */
async function startWith(image: typeof installed): Promise<string> {
  const platform = await EmulatedPlatform.open(join(directory, 'platform'), image);
  try {
    const storage = await openStorage({
      dataDirectory: stateDirectory(data),
      ...{ platform, chainId: 1n, contract: address(`0x${'c0'.repeat(20)}`), policy: PLAIN },
      attestation: { authorities: [platform.authority], measurements: [platform.measurement], acceptEmulated: true },
      onFullDisk: () => undefined,
    });
    await storage.close();
    return storage.self.credential.identity;
  } finally {
    await platform.close();
  }
}

/** A terminal that an earlier release created, with its copy. */
async function createEarlier(): Promise<string> {
  const identity = await startWith(earlier);
  await keepImage(data, earlier);
  return identity;
}

async function replaceCopy(bytes: Buffer): Promise<void> {
  await chmod(imageFile(data), 0o600);
  await writeFile(imageFile(data), bytes);
}

describe('the enclave image of a terminal', () => {
  it('is copied beside the data before anything is sealed', async () => {
    const chosen = await chooseImage(data, undefined);
    expect(chosen).toEqual({ image: installed, installed: installed.measurement });
    expect(await readFile(imageFile(data))).toEqual(installed.bytes);
  });

  it('stays its own after an upgrade: the state opens with the copy, and with nothing else', async () => {
    const identity = await createEarlier();
    const chosen = await chooseImage(data, earlier.measurement);
    expect(chosen.image.measurement).toBe(earlier.measurement);
    expect(chosen.installed).toBe(installed.measurement);
    expect(await startWith(chosen.image)).toBe(identity);
    await expect(startWith(installed)).rejects.toMatchObject({ code: 'FOREIGN' });
    expect(await startWith(chosen.image)).toBe(identity);
  });

  it('is refused where the bytes of the copy were changed, in words that say what to restore', async () => {
    const identity = await createEarlier();
    await replaceCopy(Buffer.concat([earlier.bytes, Buffer.from('// patched\n')]));
    const chosen = chooseImage(data, earlier.measurement);
    await expect(chosen).rejects.toMatchObject({ code: 'FOREIGN' });
    await expect(chosen).rejects.toThrow(/Restore the file from a backup/);
    // Whoever changes what is remembered too gets no further: the enclave itself says FOREIGN.
    const patched = await chooseImage(data, undefined);
    await expect(startWith(patched.image)).rejects.toMatchObject({ code: 'FOREIGN' });
    await replaceCopy(earlier.bytes);
    expect(await startWith((await chooseImage(data, earlier.measurement)).image)).toBe(identity);
  });

  it('comes from the installation again where that has the same bytes', async () => {
    const { image } = await chooseImage(data, undefined);
    const identity = await startWith(image);
    await rm(imageFile(data), { force: true });
    expect(await startWith((await chooseImage(data, image.measurement)).image)).toBe(identity);
    expect(await readFile(imageFile(data))).toEqual(installed.bytes);
  });

  it('is told to be lost where neither the copy nor the installation has it', async () => {
    await createEarlier();
    await rm(imageFile(data), { force: true });
    const lost = chooseImage(data, earlier.measurement);
    await expect(lost).rejects.toMatchObject({ code: 'IMAGE_LOST' });
    await expect(lost).rejects.toThrow(earlier.measurement);
  });

  it('follows the installation until the terminal is created', async () => {
    await mkdir(data);
    await copyFile(join(import.meta.dirname, 'enclave-image.ts'), imageFile(data));
    expect((await chooseImage(data, undefined)).image.measurement).toBe(installed.measurement);
    expect(bytes32(installed.measurement)).toBe(measure(await readFile(imageFile(data))).measurement);
  });
});
