/** What can come in over a channel: what its peer has on its side and is not on its way already. */

import type { ChannelView } from '../enclave/core/interface.ts';

type Balances = Pick<ChannelView, 'agreed' | 'suspended' | 'settled' | 'exitSigned' | 'peerBalance' | 'pendingIn'>;

export function receivableOn(view: Balances): bigint {
  const isUsable = view.agreed && !view.suspended && !view.settled && !view.exitSigned;
  return isUsable && view.peerBalance > view.pendingIn ? view.peerBalance - view.pendingIn : 0n;
}
