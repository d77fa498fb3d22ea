// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelIdentity, Side} from "./ChannelIdentity.sol";
import {PaymentId} from "./Exit.sol";

/// @notice The one stale exit that stands on a channel until an ordinary exit or its end (PROTOCOL.md section 6).
/// @param digest that the stale enclave signed: EIP-712 digest of the whole `Exit`, its pending payments included
/// @param finalAt block time from which anyone may finalise it; 0: none stands
/// @param side whose enclave signed it
struct StaleExit {
    bytes32 digest;
    uint64 finalAt;
    Side side;
}

/// @notice One pending payment of an exit as it was signed: `Pending` of EIP-712.
/// @param payment its id, proven when the exit was submitted
/// @param amount of the transfer over the channel, in the token's base unit
/// @param fromA true where party A pays
/// @param phase 1 PRE-UPDATE, 2 POST-UPDATE
struct ExitPending {
    PaymentId payment;
    uint128 amount;
    bool fromA;
    uint8 phase;
}

/// @notice What was signed in the stale exit that stands, to finalise it. The event of its submission has all of it.
/// @param identity of the channel
/// @param sentA what A has sent B in all, without anything pending
/// @param sentB what B has sent A in all, without anything pending
/// @param pending in the order in which they were signed
struct StaleTerms {
    ChannelIdentity identity;
    uint128 sentA;
    uint128 sentB;
    ExitPending[] pending;
}
