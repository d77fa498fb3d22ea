/**
 * The names under which terminals may have dialled this hub (PROTOCOL.md section 4, Session). A session signature names
 * one; a hub that takes others would let a hostile hub hand its challenge on and pose as the terminal here.
 *
 * Where a connection arrives is part of it: "localhost" is this hub only for who came over the loopback interface.
 */

/** The own end of a connection. */
export interface Arrival {
  readonly address: string;
  readonly port: number;
}

export interface HubNames {
  /** As it was told to listen. */
  readonly host: string;
  /** Told by whoever runs the hub (--public-name): canonical, see `canonicalName`. */
  readonly publicNames: readonly string[];
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const WILDCARDS = ['0.0.0.0', '::'];
/** Left out of an address by whoever dials ws:// (80) or, through a proxy, wss:// (443). */
const USUAL_PORT = /:(80|443)$/;

/** host[:port] as terminals write it, without a usual port; null where it is no such name. */
export function canonicalName(name: string): string | null {
  if (!/^[^/?#@\s]+$/.test(name) || !URL.canParse(`ws://${name}`)) return null;
  const { host } = new URL(`ws://${name}`);
  return host.length > 0 && host.length <= 255 ? host.replace(USUAL_PORT, '') : null;
}

export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}

const inBrackets = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;

/** Every name by which a terminal that arrived there may have dialled this hub. */
export function namesAt(arrival: Arrival, of: HubNames): ReadonlySet<string> {
  const address = arrival.address.replace(/^::ffff:(?=\d+\.)/, '');
  const local = isLoopback(address);
  const hosts = [address, ...(local ? LOOPBACK_NAMES : [])];
  if (local || !WILDCARDS.includes(of.host)) hosts.push(of.host);
  const names = hosts.map((host) => canonicalName(`${inBrackets(host)}:${arrival.port}`));
  return new Set([...names.flatMap((name) => name ?? []), ...of.publicNames]);
}
