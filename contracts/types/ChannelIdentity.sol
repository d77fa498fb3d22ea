// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// keccak256 of the domain separator and every field of the identity. Names a channel once for ever.
type ChannelId is bytes32;

/// The two sides of a channel.
enum Side {
    A,
    B
}

/// @notice What a channel is; nothing of it ever changes (PROTOCOL.md section 3).
/// @param partyA address that the enclave of side A derived; signs exits and records, never receives coins
/// @param partyB the same for side B
/// @param payoutA address of the owner of side A, where its credit goes
/// @param payoutB the same for side B
/// @param token ERC-20 contract, or the zero address for the native coin
/// @param challengePeriod seconds that a stale exit waits; 0: this channel knows no stale exits
/// @param salt tells channels of the same two parties apart
struct ChannelIdentity {
    address partyA;
    address partyB;
    address payoutA;
    address payoutB;
    address token;
    uint32 challengePeriod;
    bytes16 salt;
}
