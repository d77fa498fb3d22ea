// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PaymentChannels} from "../PaymentChannels.sol";
import {TestToken} from "../testing/TestToken.sol";
import {ChannelId, ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Outcome, PaymentId, Pending} from "../types/Exit.sol";
import {ExitPending, StaleTerms} from "../types/StaleExit.sol";
import {Vm} from "./Vm.sol";

/// @notice What the tests share: channels between keys that we hold, payments over them, and exits signed as an enclave
/// signs them. Ids and digests are written down a second time here, plainly, to be compared with the contract's.
abstract contract Scene {
    error Differs(string what, uint256 found, uint256 expected);

    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant KEY_A = 0xA11CE;
    uint256 internal constant KEY_B = 0xB0B;
    uint32 internal constant PERIOD = 1 days;

    bytes32 private constant PENDING_TYPE =
        keccak256("Pending(bytes32 paymentId,uint128 amount,bool fromA,uint8 phase)");
    bytes32 private constant EXIT_TYPE = keccak256(
        "Exit(bytes32 channelId,uint128 sentA,uint128 sentB,bool stale,Pending[] pending)"
        "Pending(bytes32 paymentId,uint128 amount,bool fromA,uint8 phase)"
    );

    PaymentChannels internal channels;
    TestToken internal token;
    bytes32 internal domain;
    uint128 private _count;

    constructor() {
        channels = new PaymentChannels();
        token = new TestToken();
        domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Baro"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
        VM.deal(address(this), type(uint256).max / 2);
        token.mint(address(this), type(uint128).max);
        token.approve(address(channels), type(uint256).max);
    }

    /// A channel nobody opened yet.
    function newChannel(address token_, uint32 period) internal returns (ChannelIdentity memory) {
        bytes16 salt = bytes16(++_count);
        return ChannelIdentity({
            partyA: VM.addr(KEY_A),
            partyB: VM.addr(KEY_B),
            payoutA: address(uint160(uint256(keccak256(abi.encode("payout A", salt))))),
            payoutB: address(uint160(uint256(keccak256(abi.encode("payout B", salt))))),
            token: token_,
            challengePeriod: period,
            salt: salt
        });
    }

    function openedChannel(address token_, uint32 period, uint128 depositA, uint128 depositB)
        internal
        returns (ChannelIdentity memory identity)
    {
        identity = newChannel(token_, period);
        fund(identity, Side.A, depositA);
        fund(identity, Side.B, depositB);
    }

    function fund(ChannelIdentity memory identity, Side side, uint128 amount) internal {
        if (amount == 0) return;
        channels.open{value: identity.token == address(0) ? amount : 0}(identity, side, amount);
    }

    function idOf(ChannelIdentity memory identity) internal view returns (ChannelId) {
        bytes memory packed = abi.encodePacked(
            domain, identity.partyA, identity.partyB, identity.payoutA, identity.payoutB, identity.token
        );
        bytes memory rest = abi.encodePacked(identity.challengePeriod, identity.salt);
        return ChannelId.wrap(keccak256(bytes.concat(packed, rest)));
    }

    /// A transfer over the channel in a payment of two transfers, the other over a stranger's.
    function newPending(uint128 amount, bool fromA, uint8 phase) internal returns (Pending memory pending) {
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = keccak256(abi.encode("a stranger's leaf", ++_count));
        return Pending({
            nonce: bytes16(_count),
            invoice: keccak256(abi.encode("invoice", _count)),
            expiry: 1_795_000_000,
            proof: proof,
            amount: amount,
            fromA: fromA,
            phase: phase
        });
    }

    function paymentOf(ChannelIdentity memory identity, Pending memory pending) internal view returns (PaymentId) {
        address payer = pending.fromA ? identity.partyA : identity.partyB;
        address payee = pending.fromA ? identity.partyB : identity.partyA;
        bytes32 node = keccak256(abi.encodePacked(idOf(identity), payer, payee, identity.token, pending.amount));
        for (uint256 i = 0; i < pending.proof.length; ++i) {
            bytes32 sibling = pending.proof[i];
            node = node < sibling ? keccak256(abi.encode(node, sibling)) : keccak256(abi.encode(sibling, node));
        }
        return PaymentId.wrap(
            keccak256(abi.encodePacked(domain, pending.nonce, pending.invoice, pending.expiry, node))
        );
    }

    /// As the protocol wants them in an exit.
    function ascending(ChannelIdentity memory identity, Pending[] memory pending)
        internal
        view
        returns (Pending[] memory)
    {
        for (uint256 i = 1; i < pending.length; ++i) {
            for (uint256 j = i; j > 0 && unwrapped(identity, pending[j]) < unwrapped(identity, pending[j - 1]); --j) {
                (pending[j], pending[j - 1]) = (pending[j - 1], pending[j]);
            }
        }
        return pending;
    }

    function unwrapped(ChannelIdentity memory identity, Pending memory pending) private view returns (bytes32) {
        return PaymentId.unwrap(paymentOf(identity, pending));
    }

    function signExit(Exit memory exit, uint256 key) internal view returns (Exit memory) {
        exit.signature = signature(key, digestOf(exit));
        return exit;
    }

    function digestOf(Exit memory exit) internal view returns (bytes32) {
        bytes memory hashes;
        for (uint256 i = 0; i < exit.pending.length; ++i) {
            Pending memory each = exit.pending[i];
            PaymentId payment = paymentOf(exit.identity, each);
            hashes = bytes.concat(
                hashes, keccak256(abi.encode(PENDING_TYPE, payment, each.amount, each.fromA, each.phase))
            );
        }
        bytes32 structHash = keccak256(
            abi.encode(EXIT_TYPE, idOf(exit.identity), exit.sentA, exit.sentB, exit.stale, keccak256(hashes))
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function signRecord(ChannelIdentity memory identity, Pending memory pending, uint256 key)
        internal
        view
        returns (bytes memory)
    {
        bytes32 recordType = keccak256("Record(bytes32 channelId,bytes32 paymentId,uint8 outcome)");
        bytes32 structHash =
            keccak256(abi.encode(recordType, idOf(identity), paymentOf(identity, pending), pending.phase));
        return signature(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
    }

    function record(ChannelIdentity memory identity, Pending memory pending, Outcome outcome) internal {
        uint8 phase = pending.phase;
        pending.phase = uint8(outcome);
        channels.record(identity, pending, signRecord(identity, pending, KEY_B));
        pending.phase = phase;
    }

    function signature(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function termsOf(Exit memory exit) internal view returns (StaleTerms memory) {
        ExitPending[] memory pending = new ExitPending[](exit.pending.length);
        for (uint256 i = 0; i < pending.length; ++i) {
            Pending memory each = exit.pending[i];
            pending[i] = ExitPending(paymentOf(exit.identity, each), each.amount, each.fromA, each.phase);
        }
        return StaleTerms(exit.identity, exit.sentA, exit.sentB, pending);
    }

    function only(Exit memory exit) internal pure returns (Exit[] memory list) {
        list = new Exit[](1);
        list[0] = exit;
    }

    function only(StaleTerms memory terms) internal pure returns (StaleTerms[] memory list) {
        list = new StaleTerms[](1);
        list[0] = terms;
    }

    function creditsOf(ChannelIdentity memory identity) internal view returns (uint256 creditA, uint256 creditB) {
        creditA = channels.creditOf(identity.token, identity.payoutA);
        creditB = channels.creditOf(identity.token, identity.payoutB);
    }

    function statusOf(ChannelIdentity memory identity) internal view returns (uint8 status) {
        (status,,) = channels.channelOf(idOf(identity));
    }

    /// What A gets of the deposits after sending `net` more than it received, clipped once: the model of four lines.
    function shareOfA(uint256 depositA, uint256 depositB, int256 net) internal pure returns (uint256) {
        int256 balance = int256(depositA) - net;
        if (balance < 0) return 0;
        uint256 total = depositA + depositB;
        return uint256(balance) > total ? total : uint256(balance);
    }

    function same(uint256 found, uint256 expected, string memory what) internal pure {
        if (found != expected) revert Differs(what, found, expected);
    }

    function refused(bytes4 selector, ChannelIdentity memory identity) internal {
        VM.expectRevert(abi.encodeWithSelector(selector, idOf(identity)));
    }
}
