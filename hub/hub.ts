/**
 * A running hub: its parts made, connected and stopped in order (ARCHITECTURE.md).
 * Everything that decides is in core/; everything that touches the world is handed in from here.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { PaymentChannels } from '../contracts/payment-channels.ts';
import { type ChainFingerprint, chainFingerprint, openRpc } from '../contracts/rpc.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import packageJson from '../package.json' with { type: 'json' };
import { type ApiSource, answer } from './api/http.ts';
import { type ChainSource, ChainSync } from './chain/sync.ts';
import { type HubConfig, type HubConfigInput, parseConfig } from './config.ts';
import { defaultLimits } from './core/limits.ts';
import { resume } from './core/resume.ts';
import type { HubState } from './core/state.ts';
import { type Carried, Loop } from './loop.ts';
import { HubServer } from './net/server.ts';
import { SqliteStore } from './store/sqlite.ts';
import type { HubStore } from './store/store.ts';

export interface RunningHub {
  /** http://host:port; terminals connect to the same as ws://. */
  readonly url: string;
  readonly port: number;
  /** Resolves when the hub has stopped: with null after `stop`, or with the error that ended it. */
  readonly ended: Promise<Error | null>;
  /** Finishes the present turn, closes sessions, database and chain. May be called again. */
  stop(): Promise<void>;
}

/**
 * @param log where the hub's own words go; silent without one
 * @throws BadConfig; ChainError RPC_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT; StoreError; PortInUse
 */
export async function startHub(input: HubConfigInput, log: Logger = pino({ level: 'silent' })): Promise<RunningHub> {
  const config = parseConfig(input);
  const provider = await openRpc({ url: config.rpc, chainId: config.chainId });
  const cleanUp: CleanUp = [() => provider.destroy()];
  try {
    const { contract, chainId } = config;
    const { domain } = await PaymentChannels.connect({ provider, address: contract, chainId });
    const fingerprint = await chainFingerprint(provider);
    const deployment: Deployment = { chainId, contract, domain };
    const store = await openStore(config.data, { deployment, fingerprint });
    cleanUp.unshift(() => store.close());
    const snapshot = await store.load(Date.now());
    const settings = { ...config.settings, limits: defaultLimits };
    const state = resume(deployment, snapshot, { settings, nowMs: Date.now() });
    const source = { ...config, provider, fingerprint, cursor: snapshot.cursor };
    return await run({ config, log, store, state, source, cleanUp });
  } catch (error) {
    await inOrder(cleanUp);
    throw error;
  }
}

/** What to undo, the latest first. */
type CleanUp = (() => unknown)[];

interface Prepared {
  readonly config: HubConfig;
  readonly log: Logger;
  readonly store: HubStore;
  readonly state: HubState;
  readonly source: ChainSource;
  readonly cleanUp: CleanUp;
}

/** Opens the port and follows the chain. */
async function run({ config, log, store, state, source, cleanUp }: Prepared): Promise<RunningHub> {
  const { deployment } = state;
  const policy = {
    authorities: config.acceptAuthorities,
    measurements: config.acceptMeasurements,
    acceptEmulated: config.acceptEmulated,
  };
  const api: ApiSource = {
    ...{ state, store, policy },
    version: packageJson.version,
    now: () => Date.now(),
    wsUrl: () => url.replace(/^http/, 'ws'),
    sessions: () => server.sessions,
    waiting: () => loop.waiting,
    chainTrouble: () => sync.trouble,
  };
  const server: HubServer = new HubServer({
    gate: { deployment, policy },
    heartbeatMs: config.settings.heartbeatMs,
    publicNames: config.publicNames,
    limits: state.settings.limits,
    request: (request, response) => void answer(api, request, response),
    event: (event) => loop.push(event),
  });
  let finish: (error: Error | null) => void = () => undefined;
  const ended = new Promise<Error | null>((resolve) => (finish = resolve));
  const loop: Loop = new Loop({
    ...{ state, store },
    now: () => Date.now(),
    carry: (effect) => carry({ server, log }, effect),
    turned: () => server.flush(),
    pressed: (isPressed) => server.pause(isPressed),
    failed: (error) => {
      log.fatal({ error }, 'the hub cannot go on');
      finish(error);
    },
  });
  cleanUp.unshift(() => loop.stop());
  const port = await server.listen(config.host, config.port);
  cleanUp.unshift(() => server.close());
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  const sync: ChainSync = new ChainSync(source, (event) => loop.taken(event));
  cleanUp.unshift(() => sync.stop());
  const stop = once(async () => {
    await inOrder(cleanUp);
    finish(null);
  });
  const { contract, chainId } = deployment;
  log.info({ url, contract, chainId: chainId.toString(), unfinished: state.rounds.size }, 'the hub is ready');
  return { url, port, ended, stop };
}

async function openStore(
  data: string,
  of: { deployment: Deployment; fingerprint: ChainFingerprint },
): Promise<SqliteStore> {
  await mkdir(data, { recursive: true });
  const { chainId, contract } = of.deployment;
  return SqliteStore.open(join(data, 'hub.sqlite'), { chainId, contract, genesisHash: of.fingerprint.genesisHash });
}

function carry(to: { server: HubServer; log: Logger }, effect: Carried): void {
  switch (effect.kind) {
    case 'send':
      return to.server.send(effect.session, effect.message);
    case 'close':
      return to.server.refuse(effect.session, effect);
    case 'log':
      return to.log[effect.level](effect.facts, effect.message);
  }
}

async function inOrder(steps: readonly (() => unknown)[]): Promise<void> {
  for (const step of steps) await step();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => (running ??= work());
}

/** Whether the error lies in what the hub was told (2) or in the world around it (1). */
export function exitCodeOf(error: unknown): 1 | 2 {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  const isTold = ['BAD_CONFIG', 'WRONG_CHAIN', 'NO_CONTRACT', 'OTHER_DEPLOYMENT', 'NOT_A_HUB_DATABASE', 'NEWER_SCHEMA'];
  return isTold.includes(String(code)) ? 2 : 1;
}
