// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ChannelId, ChannelIdentity} from "../types/ChannelIdentity.sol";
import {Outcome, PaymentId, Pending} from "../types/Exit.sol";

/// @notice The frozen encodings of PROTOCOL.md section 9: ids, leaves and EIP-712 digests.
///
/// Equal byte for byte to enclave/core/encoding.ts (shared vectors: contracts/vectors.json). Every id and digest hangs
/// on the domain separator, so nothing signed for one contract or chain means anything to another. Ids and what is
/// hashed for each pending payment are laid out by hand above the free memory pointer, which stays where it is: an exit
/// with 400 of them would otherwise pay for memory that nobody reads again. Fields are read where the ABI puts them,
/// and nothing but their own bytes: what calldata has beside them changes no id, and is not read.
// solhint-disable no-inline-assembly
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

    function hashIdentity(bytes32 domain, ChannelIdentity calldata identity) internal pure returns (ChannelId id) {
        // abi.encodePacked(domain, partyA, partyB, payoutA, payoutB, token, challengePeriod, salt)
        assembly ("memory-safe") {
            let packed := mload(0x40)
            mstore(packed, domain)
            mstore(add(packed, 32), shl(96, calldataload(identity)))
            mstore(add(packed, 52), shl(96, calldataload(add(identity, 0x20))))
            mstore(add(packed, 72), shl(96, calldataload(add(identity, 0x40))))
            mstore(add(packed, 92), shl(96, calldataload(add(identity, 0x60))))
            mstore(add(packed, 112), shl(96, calldataload(add(identity, 0x80))))
            mstore(add(packed, 132), shl(224, calldataload(add(identity, 0xa0))))
            mstore(add(packed, 136), calldataload(add(identity, 0xc0)))
            id := keccak256(packed, 152)
        }
    }

    /// Leaf of the transfer that crosses the channel. Its 108 bytes are never taken for a node of 64.
    /// @param fromA whether partyA, the first word of the identity, pays partyB, the second, or the other way
    function hashTransfer(ChannelId id, ChannelIdentity calldata identity, uint128 amount, bool fromA)
        internal
        pure
        returns (bytes32 leaf)
    {
        // abi.encodePacked(id, payer, payee, token, amount)
        assembly ("memory-safe") {
            let packed := mload(0x40)
            let payee := shl(5, fromA)
            mstore(packed, id)
            mstore(add(packed, 32), shl(96, calldataload(add(identity, xor(payee, 0x20)))))
            mstore(add(packed, 52), shl(96, calldataload(add(identity, payee))))
            mstore(add(packed, 72), shl(96, calldataload(add(identity, 0x80))))
            mstore(add(packed, 92), shl(128, amount))
            leaf := keccak256(packed, 108)
        }
    }

    /// Id of the payment that `pending` describes. That it comes out as an id which somebody signed or recorded is the
    /// proof that the payment has this transfer over this channel.
    function hashPayment(bytes32 domain, bytes32 leaf, Pending calldata pending)
        internal
        pure
        returns (PaymentId payment)
    {
        bytes32 root = MerkleProof.processProofCalldata(pending.proof, leaf);
        // abi.encodePacked(domain, nonce, invoice, expiry, root)
        assembly ("memory-safe") {
            let packed := mload(0x40)
            mstore(packed, domain)
            mstore(add(packed, 32), calldataload(pending))
            mstore(add(packed, 48), calldataload(add(pending, 0x20)))
            mstore(add(packed, 80), shl(192, calldataload(add(pending, 0x40))))
            mstore(add(packed, 88), root)
            payment := keccak256(packed, 120)
        }
    }

    /// EIP-712 struct hash of one entry of an exit.
    function hashPending(PaymentId payment, uint128 amount, bool fromA, uint8 phase)
        internal
        pure
        returns (bytes32 structHash)
    {
        bytes32 typeHash = PENDING_TYPE;
        // abi.encode(typeHash, payment, amount, fromA, phase)
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, typeHash)
            mstore(add(encoded, 32), payment)
            mstore(add(encoded, 64), amount)
            mstore(add(encoded, 96), fromA)
            mstore(add(encoded, 128), phase)
            structHash := keccak256(encoded, 160)
        }
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
        bytes32 list;
        // keccak256(abi.encodePacked(pending))
        assembly ("memory-safe") {
            list := keccak256(add(pending, 32), shl(5, mload(pending)))
        }
        bytes32 structHash = keccak256(abi.encode(EXIT_TYPE, id, sentA, sentB, stale, list));
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    function recordDigest(bytes32 domain, ChannelId id, PaymentId payment, Outcome outcome)
        internal
        pure
        returns (bytes32)
    {
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(RECORD_TYPE, id, payment, outcome)));
    }
}
