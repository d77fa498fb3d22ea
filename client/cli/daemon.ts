/**
 * The daemon of one data directory: terminal, control API and handover endpoint in this process, until it is asked to
 * stop. Whatever was started is stopped in the opposite order, also when a later part fails to start.
 */

import { randomBytes } from 'node:crypto';
import pino from 'pino';
import type { AttestationPolicy } from '../../enclave/core/credential.ts';
import { type Address, type Bytes32, NATIVE } from '../../enclave/core/ids.ts';
import { MAX_PENDING_DEFAULT } from '../../enclave/core/limits.ts';
import type { OwnerPolicy } from '../../enclave/core/order.ts';
import { EmulatedPlatform } from '../../enclave/host/platform.ts';
import { Terminal } from '../terminal.ts';
import type { TerminalOptions } from '../terminal-types.ts';
import { EMULATED_WARNING } from './banner.ts';
import { Cashiers } from './cashiers.ts';
import { removeControl, writeControl } from './control-file.ts';
import { controlRoutes, type Status } from './control-routes.ts';
import { type ControlServer, startControlServer } from './control-server.ts';
import { type Deployment, resolveDeployment } from './deployment.ts';
import { requireApart } from './directories.ts';
import { changedImage, chooseImage, keepImage, stateDirectory } from './enclave-image.ts';
import { codeOf } from './failure.ts';
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
    const chosen = await chooseImage(settings.data, remembered?.measurement);
    const platform = await EmulatedPlatform.open(settings.platform, chosen.image);
    started.push(() => platform.close());
    const handover = await startHandoverServer(settings.handover);
    started.push(() => handover.stop());
    const handoverUrl = settings.handover.publicUrl ?? `http://127.0.0.1:${handover.port}/handover`;
    const terminal = await startTerminal(settings.data, {
      dataDirectory: stateDirectory(settings.data),
      platform,
      hubUrl: deployment.hubUrl,
      rpcUrl: settings.rpc,
      chainId: deployment.chainId,
      contract: deployment.contract,
      owner: owner.wallet,
      name: settings.name,
      policy: ownerPolicy(settings.policy),
      attestation: attestationPolicy(settings, { platform, installed: chosen.installed }),
      confirmations: settings.confirmations ?? (deployment.chainId === DEVELOPMENT_CHAIN ? 1 : CONFIRMATIONS),
      fromBlock: deployment.fromBlock,
      handoverUrl,
      logger: pino({ level: settings.logLevel, base: null }, pino.destination({ fd: 2, sync: true })),
      ...(settings.pollMs === undefined ? {} : { pollMs: settings.pollMs }),
    });
    started.push(() => terminal.stop());
    handover.open((evidence) => terminal.acceptHandover(evidence));
    await keepImage(settings.data, chosen.image);

    const { installed } = chosen;
    const status = (): Status => describe(terminal, { settings, deployment, platform, handoverUrl, installed });
    const token = randomBytes(32).toString('hex');
    const cashiers = await Cashiers.open(settings.data);
    const routes = controlRoutes({ terminal, status, cashiers });
    const control = await startControl(settings.controlPort, remembered?.controlPort ?? 0, (port) =>
      startControlServer({ token, cashiers, port, routes }),
    );
    started.push(() => control.stop());
    const controlPort = Number(new URL(control.url).port);
    await remember(settings, deployment, { measurement: platform.measurement, controlPort });
    started.push(() => removeControl(settings.data));
    await writeControl(settings.data, { version: 1, url: control.url, token, pid: process.pid });
    return { status, controlUrl: control.url, terminal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Failure FOREIGN in words, and what Terminal.start throws */
async function startTerminal(data: string, options: TerminalOptions): Promise<Terminal> {
  try {
    return await Terminal.start(options);
  } catch (error) {
    if (codeOf(error) === 'FOREIGN') throw changedImage(data);
    throw error;
  }
}

/** On the port that was asked for; else where it was last, for cashiers' sake, or on any free one. */
async function startControl(
  asked: number,
  last: number,
  start: (port: number) => Promise<ControlServer>,
): Promise<ControlServer> {
  if (asked !== 0 || last === 0) return start(asked);
  try {
    return await start(last);
  } catch (error) {
    if (codeOf(error) !== 'PORT_IN_USE') throw error;
    return start(0);
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

/** Terminals that were made with what is installed here are believed as well: the owner installed it. */
function attestationPolicy(
  settings: DaemonSettings,
  { platform, installed }: { platform: EmulatedPlatform; installed: Bytes32 },
): AttestationPolicy {
  return {
    authorities: [...new Set([platform.authority, ...settings.authorities])],
    measurements: [...new Set([platform.measurement, installed, ...settings.measurements])],
    acceptEmulated: true,
  };
}

function remember(
  settings: DaemonSettings,
  { chainId, contract, fromBlock, hubUrl }: Deployment,
  found: Required<Pick<Remembered, 'measurement' | 'controlPort'>>,
): Promise<void> {
  const { name, hub, rpc, platform, ownerKeyFile, policy } = settings;
  return writeRemembered(settings.data, {
    version: 1,
    ...{ chainId, contract, fromBlock, name, hub, hubUrl, rpc, platform, policy, ...found },
    ...(ownerKeyFile === undefined ? {} : { ownerKeyFile }),
  });
}

function describe(
  terminal: Terminal,
  about: {
    settings: DaemonSettings;
    deployment: Deployment;
    platform: EmulatedPlatform;
    handoverUrl: string;
    installed: Bytes32;
  },
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
    installedMeasurement: about.installed,
  };
}
