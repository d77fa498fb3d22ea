/**
 * The network map (seed patent 120): nodes are terminals, an edge is one direction of one channel.
 *
 * Money stands in the edges' attributes as bigint and never as a weight: graph libraries count a bigint weight as 1.
 * Attribute objects are kept by reference, so that a changed balance costs one assignment.
 */

import { MultiDirectedGraph } from 'graphology';
import type { Address, ChannelId, Identity } from '../../enclave/core/ids.ts';
import type { ForwardingPolicy, OwnerPolicy } from '../../enclave/core/order.ts';

/** A terminal as routing sees it. */
export interface MapNode {
  readonly identity: Identity;
  online: boolean;
  /** Smoothed round-trip time in milliseconds. */
  rttMs: number;
  forwarding: ReadonlyMap<Address, ForwardingPolicy>;
  /** Prepares only with the evidence of all others; a payment has room for one such participant. */
  prepareLast: boolean;
}

/** One direction of one channel: `payer` can send `spendable` base units to `payee`. */
export interface Direction {
  readonly channelId: ChannelId;
  readonly token: Address;
  readonly payer: Identity;
  readonly payee: Identity;
  /** The channel party addresses that a transfer names. */
  readonly payerParty: Address;
  readonly payeeParty: Address;
  /** As the payer last reported, less what the hub has promised since; 0 where the channel is left out of routing. */
  spendable: bigint;
}

type NodeAttributes = { node: MapNode };
type EdgeAttributes = { direction: Direction };

export class NetworkMap {
  /** For studies and comparisons; only this class changes it. */
  readonly graph = new MultiDirectedGraph<NodeAttributes, EdgeAttributes>();

  /** Adds a terminal or replaces what is known of it. @returns its node, whose fields may be assigned */
  putNode(identity: Identity, policy: Pick<OwnerPolicy, 'forwarding' | 'prepareLast'>, rttMs: number): MapNode {
    const forwarding = new Map(policy.forwarding.map((each) => [each.token, each]));
    const known = this.node(identity);
    if (known) {
      known.forwarding = forwarding;
      known.prepareLast = policy.prepareLast;
      return known;
    }
    const node: MapNode = { identity, online: false, rttMs, forwarding, prepareLast: policy.prepareLast };
    this.graph.addNode(identity, { node });
    return node;
  }

  node(identity: Identity): MapNode | undefined {
    return this.graph.hasNode(identity) ? this.graph.getNodeAttribute(identity, 'node') : undefined;
  }

  /** Adds one direction of a channel; both terminals are nodes already. @returns the edge, whose `spendable` may be set */
  addDirection(direction: Direction): Direction {
    const { channelId, payer, payee } = direction;
    this.graph.addDirectedEdgeWithKey(`${channelId}:${payer}`, payer, payee, { direction });
    return direction;
  }

  removeDirection(direction: Direction): void {
    this.graph.dropEdge(`${direction.channelId}:${direction.payer}`);
  }

  /** Directions in which `identity` is paid. */
  forEachIncoming(identity: Identity, visit: (direction: Direction, payer: MapNode) => void): void {
    this.graph.forEachInEdge(identity, (_edge, attributes, _source, _target, source) =>
      visit(attributes.direction, source.node),
    );
  }

  /** Directions in which `identity` pays. */
  forEachOutgoing(identity: Identity, visit: (direction: Direction) => void): void {
    this.graph.forEachOutEdge(identity, (_edge, attributes) => visit(attributes.direction));
  }
}
