/**
 * The daemon of one data directory: terminal, control API and handover endpoint in this process, until it is asked to
 * stop. Whatever was started is stopped in the opposite order, also when a later part fails to start.
 */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pino from 'pino';
import type { AttestationPolicy } from '../../enclave/core/credential.ts';
import { type Address, type Bytes32, NATIVE } from '../../enclave/core/ids.ts';
import { MAX_PENDING_DEFAULT } from '../../enclave/core/limits.ts';
import type { OwnerPolicy } from '../../enclave/core/order.ts';
import { EmulatedPlatform } from '../../enclave/host/platform.ts';
import { Terminal } from '../terminal.ts';
import { EMULATED_WARNING } from './banner.ts';
import { removeControl, writeControl } from './control-file.ts';
import { controlRoutes, type Status } from './control-routes.ts';
import { startControlServer } from './control-server.ts';
import { type Deployment, resolveDeployment } from './deployment.ts';
import { requireApart } from './directories.ts';
import { startHandoverServer } from './handover-server.ts';
import { loadOwnerKey } from './owner-key.ts';
import { makePrivateDirectory } from './private-file.ts';
import { type Remembered, readRemembered, writeRemembered } from './remembered.ts';

const MAX_PENDING_PER_PEER = 100;
const MAX_PENDING_PER_PAYER = 50;
/** Its blocks come with its transactions: waiting for more would be waiting for ever. */
const DEVELOPMENT_CHAIN = 31_337n;
const CONFIRMATIONS = 12;

/** Everything decided: what was given, else what was remembered, else defaults. */
export interface DaemonSettings {
  data: string;
  platform: string;
  hub: string;
  rpc: string;
  name: string;
  ownerKeyFile: string | undefined;
  policy: Remembered['policy'];
  /** In addition to the own platform's. */
  authorities: readonly Address[];
  measurements: readonly Bytes32[];
  /** Undefined: what suits the chain. */
  confirmations: number | undefined;
  controlPort: number;
  handover: { host: string; port: number; publicUrl: string | undefined };
  pollMs: number | undefined;
  logLevel: string;
}

export interface Daemon {
  status: () => Status;
  controlUrl: string;
  terminal: Terminal;
  stop(): Promise<void>;
}

/**
 * @param warn takes the banner's warnings, before anything is started
 * @throws Failure, TerminalRefusal, ChainError; nothing is left running then
 */
export async function startDaemon(
  settings: DaemonSettings,
  warn: (warnings: readonly string[]) => void,
): Promise<Daemon> {
  await requireApart(settings);
  await makePrivateDirectory(settings.data);
  const owner = await loadOwnerKey(settings.data, settings.ownerKeyFile);
  warn([EMULATED_WARNING, owner.warning]);
  const remembered = await readRemembered(settings.data);
  const deployment = await resolveDeployment({ hub: settings.hub, rpc: settings.rpc, remembered });

  const started: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of started.splice(0).reverse()) await end();
  };
  try {
    const platform = await EmulatedPlatform.open(settings.platform);
    started.push(() => platform.close());
    const handover = await startHandoverServer(settings.handover);
    started.push(() => handover.stop());
    const handoverUrl = settings.handover.publicUrl ?? `http://127.0.0.1:${handover.port}/handover`;
    const terminal = await Terminal.start({
      dataDirectory: join(settings.data, 'state'),
      platform,
      hubUrl: deployment.hubUrl,
      rpcUrl: settings.rpc,
      chainId: deployment.chainId,
      contract: deployment.contract,
      owner: owner.wallet,
      name: settings.name,
      policy: ownerPolicy(settings.policy),
      attestation: attestationPolicy(settings, platform),
      confirmations: settings.confirmations ?? (deployment.chainId === DEVELOPMENT_CHAIN ? 1 : CONFIRMATIONS),
      fromBlock: deployment.fromBlock,
      handoverUrl,
      logger: pino({ level: settings.logLevel, base: null }, pino.destination({ fd: 2, sync: true })),
      ...(settings.pollMs === undefined ? {} : { pollMs: settings.pollMs }),
    });
    started.push(() => terminal.stop());
    handover.open((evidence) => terminal.acceptHandover(evidence));
    await remember(settings, deployment);

    const status = (): Status => describe(terminal, { settings, deployment, platform, handoverUrl });
    const token = randomBytes(32).toString('hex');
    const routes = controlRoutes({ terminal, status });
    const control = await startControlServer({ token, port: settings.controlPort, routes });
    started.push(() => control.stop());
    started.push(() => removeControl(settings.data));
    await writeControl(settings.data, { version: 1, url: control.url, token, pid: process.pid });
    return { status, controlUrl: control.url, terminal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function ownerPolicy({ forwarding, acceptAnything }: Remembered['policy']): OwnerPolicy {
  const bounds = { maxPendingPerPeer: MAX_PENDING_PER_PEER, maxPendingPerPayer: MAX_PENDING_PER_PAYER };
  return {
    forwarding: forwarding === null ? [] : [{ token: NATIVE, ...forwarding, ...bounds }],
    acceptAnything,
    prepareLast: false,
    maxPending: MAX_PENDING_DEFAULT,
  };
}

function attestationPolicy(settings: DaemonSettings, platform: EmulatedPlatform): AttestationPolicy {
  return {
    authorities: [...new Set([platform.authority, ...settings.authorities])],
    measurements: [...new Set([platform.measurement, ...settings.measurements])],
    acceptEmulated: true,
  };
}

function remember(settings: DaemonSettings, { chainId, contract, fromBlock, hubUrl }: Deployment): Promise<void> {
  const { name, hub, rpc, platform, ownerKeyFile, policy } = settings;
  return writeRemembered(settings.data, {
    version: 1,
    ...{ chainId, contract, fromBlock, name, hub, hubUrl, rpc, platform, policy },
    ...(ownerKeyFile === undefined ? {} : { ownerKeyFile }),
  });
}

function describe(
  terminal: Terminal,
  about: { settings: DaemonSettings; deployment: Deployment; platform: EmulatedPlatform; handoverUrl: string },
): Status {
  return {
    name: about.settings.name,
    identity: terminal.identity,
    payout: terminal.payout,
    chainId: about.deployment.chainId,
    contract: about.deployment.contract,
    hub: about.settings.hub,
    online: terminal.online,
    handoverUrl: about.handoverUrl,
    authority: about.platform.authority,
    measurement: about.platform.measurement,
    emulated: true,
  };
}
