// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Encoding} from "../libraries/Encoding.sol";
import {Netting} from "../libraries/Netting.sol";
import {ChannelDeposits} from "../types/ChannelDeposits.sol";
import {ChannelId, ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Outcome, PaymentId, Pending} from "../types/Exit.sol";
import {ExitPending} from "../types/StaleExit.sol";

/// @notice Gives encodings and netting of the contract to the tests that compare them with TypeScript's. For tests
/// only.
contract EncodingHarness {
    function domainSeparator(uint256 chainId, address verifyingContract) external pure returns (bytes32) {
        return Encoding.domainSeparator(chainId, verifyingContract);
    }

    function channelId(bytes32 domain, ChannelIdentity calldata identity) external pure returns (ChannelId) {
        return Encoding.hashIdentity(domain, identity);
    }

    function leaf(ChannelId id, ChannelIdentity calldata identity, Pending calldata pending)
        external
        pure
        returns (bytes32)
    {
        return Encoding.hashTransfer(id, identity, pending.amount, pending.fromA);
    }

    function paymentId(bytes32 domain, bytes32 leaf_, Pending calldata pending) external pure returns (PaymentId) {
        return Encoding.hashPayment(domain, leaf_, pending);
    }

    function exitDigest(
        bytes32 domain,
        ChannelId id,
        uint128 sentA,
        uint128 sentB,
        bool stale,
        PaymentId[] calldata payments,
        Pending[] calldata pending
    ) external pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](pending.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = Encoding.hashPending(payments[i], pending[i].amount, pending[i].fromA, pending[i].phase);
        }
        return Encoding.exitDigest(domain, id, sentA, sentB, stale, hashes);
    }

    function recordDigest(bytes32 domain, ChannelId id, PaymentId payment, Outcome outcome)
        external
        pure
        returns (bytes32)
    {
        return Encoding.recordDigest(domain, id, payment, outcome);
    }

    /// @param recorded outcome of each pending payment
    function staleCredits(
        uint128[2] calldata deposits,
        uint128[2] calldata sent,
        Side side,
        ExitPending[] calldata pending,
        Outcome[] calldata recorded
    ) external pure returns (uint128 creditA, uint128 creditB) {
        int256 net = Netting.netSent(sent[0], sent[1]);
        for (uint256 i = 0; i < pending.length; ++i) {
            if (!Netting.appliesToStale(recorded[i], pending[i].fromA, side)) continue;
            net = Netting.withTransfer(net, pending[i].amount, pending[i].fromA);
        }
        return Netting.split(ChannelDeposits.wrap((uint256(deposits[0]) << 128) + deposits[1]), net);
    }
}
