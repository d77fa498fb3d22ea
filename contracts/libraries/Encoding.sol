// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ChannelId, ChannelIdentity} from "../types/ChannelIdentity.sol";
import {Outcome, PaymentId, Pending} from "../types/Exit.sol";

/// @notice The frozen encodings of PROTOCOL.md section 9: ids, leaves and EIP-712 digests.
///
/// Equal byte for byte to enclave/core/encoding.ts (shared vectors: contracts/vectors.json). Every id and digest hangs
/// on the domain separator, so nothing signed for one contract or chain means anything to another.
library Encoding {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Baro");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant PENDING_TYPE =
        keccak256("Pending(bytes32 paymentId,uint128 amount,bool fromA,uint8 phase)");
    bytes32 private constant EXIT_TYPE = keccak256(
        "Exit(bytes32 channelId,uint128 sentA,uint128 sentB,bool stale,Pending[] pending)"
        "Pending(bytes32 paymentId,uint128 amount,bool fromA,uint8 phase)"
    );
    bytes32 private constant RECORD_TYPE = keccak256("Record(bytes32 channelId,bytes32 paymentId,uint8 outcome)");

    function domainSeparator(uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, chainId, verifyingContract));
    }

    function hashIdentity(bytes32 domain, ChannelIdentity calldata identity) internal pure returns (ChannelId) {
        return ChannelId.wrap(
            keccak256(
                abi.encodePacked(
                    domain,
                    identity.partyA,
                    identity.partyB,
                    identity.payoutA,
                    identity.payoutB,
                    identity.token,
                    identity.challengePeriod,
                    identity.salt
                )
            )
        );
    }

    /// Leaf of the transfer that `pending` says crosses the channel. Its 108 bytes are never taken for a node of 64.
    function hashTransfer(ChannelId id, ChannelIdentity calldata identity, Pending calldata pending)
        internal
        pure
        returns (bytes32)
    {
        (address payer, address payee) =
            pending.fromA ? (identity.partyA, identity.partyB) : (identity.partyB, identity.partyA);
        return keccak256(abi.encodePacked(id, payer, payee, identity.token, pending.amount));
    }

    /// Id of the payment that `pending` describes. That it comes out as an id which somebody signed or recorded is the
    /// proof that the payment has this transfer over this channel.
    function hashPayment(bytes32 domain, bytes32 leaf, Pending calldata pending) internal pure returns (PaymentId) {
        bytes32 root = MerkleProof.processProofCalldata(pending.proof, leaf);
        return PaymentId.wrap(
            keccak256(abi.encodePacked(domain, pending.nonce, pending.invoice, pending.expiry, root))
        );
    }

    /// EIP-712 struct hash of one entry of an exit.
    function hashPending(PaymentId payment, Pending calldata pending) internal pure returns (bytes32) {
        return keccak256(abi.encode(PENDING_TYPE, payment, pending.amount, pending.fromA, pending.phase));
    }

    /// @param pending the hashes of the entries, in order
    function exitDigest(
        bytes32 domain,
        ChannelId id,
        uint128 sentA,
        uint128 sentB,
        bool stale,
        bytes32[] memory pending
    ) internal pure returns (bytes32) {
        bytes32 list = keccak256(abi.encodePacked(pending));
        return typedDigest(domain, keccak256(abi.encode(EXIT_TYPE, id, sentA, sentB, stale, list)));
    }

    function recordDigest(bytes32 domain, ChannelId id, PaymentId payment, Outcome outcome)
        internal
        pure
        returns (bytes32)
    {
        return typedDigest(domain, keccak256(abi.encode(RECORD_TYPE, id, payment, outcome)));
    }

    function typedDigest(bytes32 domain, bytes32 structHash) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
