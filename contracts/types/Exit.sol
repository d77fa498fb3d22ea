// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelIdentity} from "./ChannelIdentity.sol";

/// keccak256 of domain separator, nonce, invoice, expiry and the Merkle root of the transfers.
type PaymentId is bytes32;

/// What became of an ejected payment, on all of its channels. VOID and APPLIED are written once and never change.
enum Outcome {
    NONE,
    VOID,
    APPLIED
}

/// How a channel ended: which function settled it. STALE: `finalizeStale`.
enum Settlement {
    CLOSE,
    EJECT,
    SETTLE,
    STALE
}

/// @notice A payment with a transfer over a channel, and the proof of that (PROTOCOL.md section 9).
/// Payer and payee of the transfer are the channel's parties, in the order that `fromA` says.
/// @param nonce of the payment
/// @param invoice hash of the payee's invoice, or zero
/// @param expiry of the payment, unix seconds
/// @param proof Merkle path from the leaf of the transfer up to the root: sorted pairs, an odd node moves up
/// @param amount of the transfer, in the token's base unit
/// @param fromA true where party A pays
/// @param phase 1 PRE-UPDATE, 2 POST-UPDATE: the number of the outcome that it writes
struct Pending {
    bytes16 nonce;
    bytes32 invoice;
    uint64 expiry;
    bytes32[] proof;
    uint128 amount;
    bool fromA;
    uint8 phase;
}

/// @notice What an enclave signs to leave a channel (PROTOCOL.md section 5).
/// @param identity of the channel; its id is what is signed
/// @param sentA what A has sent B in all, without anything pending
/// @param sentB what B has sent A in all, without anything pending
/// @param stale an exit of an enclave that lost its state: only `submitStale` takes it (types/StaleExit.sol)
/// @param pending payments pending on the channel, strictly ascending by payment id, at most 400
/// @param signature EIP-712 signature (65 bytes, low s) of `Exit` by partyA or partyB
struct Exit {
    ChannelIdentity identity;
    uint128 sentA;
    uint128 sentB;
    bool stale;
    Pending[] pending;
    bytes signature;
}
