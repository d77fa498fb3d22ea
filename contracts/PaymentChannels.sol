// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {Currency} from "./libraries/Currency.sol";
import {Encoding} from "./libraries/Encoding.sol";
import {Netting} from "./libraries/Netting.sol";
import {PartySignature} from "./libraries/PartySignature.sol";
import {ChannelDeposits, ChannelDepositsLibrary} from "./types/ChannelDeposits.sol";
import {ChannelId, ChannelIdentity, Side} from "./types/ChannelIdentity.sol";
import {Exit, Outcome, PaymentId, Pending, Settlement} from "./types/Exit.sol";
import {ExitPending, StaleExit, StaleTerms} from "./types/StaleExit.sol";

/// @title Payment channels whose parties are enclaves
/// @notice State and order of effects only; the rules are in libraries/ (PROTOCOL.md sections 3, 5, 6 and 9).
///
/// Invariants: the deposits of open channels and all credits of a token add up to what the contract took in of it, less
/// what was withdrawn; a settled channel stays settled; an outcome stays what it is.
///
/// Control is given away in two places only. `withdraw` has written everything before. A deposit of a token is fetched
/// before any state is read, so whatever happened meanwhile is seen. It is measured by what the balance grew: the guard
/// keeps every other movement of tokens out of it. Coins need no guard, and exits move nothing.
contract PaymentChannels is IPaymentChannels, ReentrancyGuardTransient {
    /// Pending payments in one exit: as many as surely fit in a transaction of 2^24 gas.
    uint256 private constant MAX_PENDING = 400;

    /// Fixed for ever, also should the chain fork and change its id: money must stay reachable by what was signed.
    bytes32 private immutable DOMAIN = Encoding.domainSeparator(block.chainid, address(this));

    mapping(ChannelId id => ChannelDeposits) private _channels;
    /// Numbers of Outcome, in full words: writing a byte would first read the rest of its slot.
    mapping(PaymentId payment => uint256) private _outcomes;
    mapping(address token => mapping(address account => uint256)) private _credits;
    /// Of settled channels it is never read again: an ordinary exit need not pay for looking here.
    mapping(ChannelId id => StaleExit) private _staleExits;

    /// @inheritdoc IPaymentChannels
    function open(ChannelIdentity calldata identity, Side side, uint256 amount) external payable {
        uint256 received = _receive(identity.token, amount);
        ChannelId id = Encoding.hashIdentity(DOMAIN, identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isUnknown()) {
            _requireValid(identity);
            emit Opened(
                id,
                identity.partyA,
                identity.partyB,
                identity.payoutA,
                identity.payoutB,
                identity.token,
                identity.challengePeriod,
                identity.salt
            );
        }
        _deposit(id, deposits, side, received);
    }

    /// @inheritdoc IPaymentChannels
    function deposit(ChannelIdentity calldata identity, Side side, uint256 amount) external payable {
        uint256 received = _receive(identity.token, amount);
        ChannelId id = Encoding.hashIdentity(DOMAIN, identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isUnknown()) revert UnknownChannel(id);
        _deposit(id, deposits, side, received);
    }

    /// @inheritdoc IPaymentChannels
    function close(ChannelIdentity calldata identity, uint128 sentA, uint128 sentB, bytes calldata signature) external {
        ChannelId id = Encoding.hashIdentity(DOMAIN, identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isSettled()) revert ChannelSettled(id);
        if (deposits.isUnknown()) revert UnknownChannel(id);
        bytes32 digest = Encoding.exitDigest(DOMAIN, id, sentA, sentB, false, new bytes32[](0));
        PartySignature.verify(identity, digest, signature);
        _finish(id, identity, deposits, Netting.netSent(sentA, sentB), Settlement.CLOSE);
    }

    /// @inheritdoc IPaymentChannels
    function eject(Exit[] calldata exits) external {
        for (uint256 i = 0; i < exits.length; ++i) _exit(exits[i], Settlement.EJECT);
    }

    /// @inheritdoc IPaymentChannels
    function settle(Exit[] calldata exits) external {
        for (uint256 i = 0; i < exits.length; ++i) _exit(exits[i], Settlement.SETTLE);
    }

    /// @inheritdoc IPaymentChannels
    function submitStale(Exit[] calldata exits) external {
        for (uint256 i = 0; i < exits.length; ++i) _submitStale(exits[i]);
    }

    /// @inheritdoc IPaymentChannels
    function finalizeStale(StaleTerms[] calldata exits) external {
        for (uint256 i = 0; i < exits.length; ++i) _finalizeStale(exits[i]);
    }

    /// @inheritdoc IPaymentChannels
    function record(ChannelIdentity calldata identity, Pending calldata pending, bytes calldata signature) external {
        ChannelId id = Encoding.hashIdentity(DOMAIN, identity);
        PaymentId payment = Encoding.hashPayment(
            DOMAIN, Encoding.hashTransfer(id, identity, pending.amount, pending.fromA), pending
        );
        if (outcomeOf(payment) != Outcome.NONE) return;
        Outcome outcome = _outcomeOfPhase(pending.phase);
        PartySignature.verify(identity, Encoding.recordDigest(DOMAIN, id, payment, outcome), signature);
        _write(payment, outcome);
    }

    /// @inheritdoc IPaymentChannels
    function withdraw(address token, address account, address to) external {
        if (to != account && msg.sender != account) revert NotAccount(account, msg.sender);
        if (to == address(0)) revert InvalidReceiver();
        uint256 amount = _credits[token][account];
        if (amount == 0) revert NothingToWithdraw(token, account);
        _credits[token][account] = 0;
        emit Withdrawn(token, account, to, amount);
        if (token == Currency.NATIVE) Currency.sendNative(to, amount);
        else _sendToken(token, to, amount);
    }

    /// @inheritdoc IPaymentChannels
    function outcomeOf(PaymentId payment) public view returns (Outcome) {
        return Outcome(_outcomes[payment]);
    }

    /// @inheritdoc IPaymentChannels
    function channelOf(ChannelId id) external view returns (uint8 status, uint128 depositA, uint128 depositB) {
        ChannelDeposits deposits = _channels[id];
        if (deposits.isUnknown()) return (0, 0, 0);
        if (deposits.isSettled()) return (2, 0, 0);
        return (1, deposits.depositA(), deposits.depositB());
    }

    /// @inheritdoc IPaymentChannels
    function creditOf(address token, address account) external view returns (uint256) {
        return _credits[token][account];
    }

    /// @inheritdoc IPaymentChannels
    function staleExitOf(ChannelId id) external view returns (uint64 finalAt, Side side, bytes32 digest) {
        if (_channels[id].isSettled()) return (0, Side.A, 0);
        StaleExit storage standing = _staleExits[id];
        return (standing.finalAt, standing.side, standing.digest);
    }

    /// @inheritdoc IPaymentChannels
    function domainSeparator() external view returns (bytes32) {
        return DOMAIN;
    }

    /// Addresses by which money could be lost from the start.
    function _requireValid(ChannelIdentity calldata identity) private pure {
        if (
            identity.partyA == identity.partyB || identity.partyA == address(0) || identity.partyB == address(0)
                || identity.payoutA == address(0) || identity.payoutB == address(0)
        ) revert InvalidIdentity();
    }

    /// @return what arrived
    function _receive(address token, uint256 amount) private returns (uint256) {
        return token == Currency.NATIVE ? Currency.receiveNative(amount) : _receiveToken(token, amount);
    }

    function _receiveToken(address token, uint256 amount) private nonReentrant returns (uint256) {
        return Currency.receiveToken(token, amount);
    }

    function _sendToken(address token, address to, uint256 amount) private nonReentrant {
        Currency.sendToken(token, to, amount);
    }

    function _deposit(ChannelId id, ChannelDeposits deposits, Side side, uint256 amount) private {
        if (deposits.isSettled()) revert ChannelSettled(id);
        (bool fits, ChannelDeposits raised) = deposits.add(side, amount);
        if (!fits) revert DepositTooLarge(id, amount);
        _channels[id] = raised;
        emit Deposited(id, side, side == Side.A ? raised.depositA() : raised.depositB());
    }

    /// One exit of `eject` or `settle`, in one pass over its pending payments: rebuild what was signed, resolve, net.
    /// That each payment crosses the channel is proven once the signature fits: a party signed this very id, and the id
    /// was rebuilt from the channel's own leaf. Outcomes written before that are undone if it does not fit.
    function _exit(Exit calldata exit, Settlement how) private {
        ChannelId id = Encoding.hashIdentity(DOMAIN, exit.identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isSettled()) return;
        if (deposits.isUnknown()) revert UnknownChannel(id);
        if (exit.stale) revert StaleExitMustWait(id);
        uint256 count = _requireFits(id, exit);
        int256 net = Netting.netSent(exit.sentA, exit.sentB);
        bytes32[] memory hashes = new bytes32[](count);
        PaymentId payment;
        for (uint256 i = 0; i < count; ++i) {
            Pending calldata pending = exit.pending[i];
            (uint128 amount, bool fromA, uint8 phase) = (pending.amount, pending.fromA, pending.phase);
            bytes32 leaf = Encoding.hashTransfer(id, exit.identity, amount, fromA);
            payment = _requireGreater(Encoding.hashPayment(DOMAIN, leaf, pending), payment);
            hashes[i] = Encoding.hashPending(payment, amount, fromA, phase);
            if (_resolve(payment, phase, how) == Outcome.APPLIED) net = Netting.withTransfer(net, amount, fromA);
        }
        bytes32 digest = Encoding.exitDigest(DOMAIN, id, exit.sentA, exit.sentB, false, hashes);
        PartySignature.verify(exit.identity, digest, exit.signature);
        _finish(id, exit.identity, deposits, net, how);
    }

    /// Verifies as `_exit` does, but neither resolves nor settles: keeps the digest and begins the period.
    function _submitStale(Exit calldata exit) private {
        ChannelId id = Encoding.hashIdentity(DOMAIN, exit.identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isSettled()) return;
        if (deposits.isUnknown()) revert UnknownChannel(id);
        if (!exit.stale) revert ExitNotStale(id);
        if (exit.identity.challengePeriod == 0) revert StaleExitsExcluded(id);
        if (_staleExits[id].finalAt != 0) return;
        uint256 count = _requireFits(id, exit);
        bytes32[] memory hashes = new bytes32[](count);
        ExitPending[] memory entries = new ExitPending[](count);
        PaymentId payment;
        for (uint256 i = 0; i < count; ++i) {
            Pending calldata pending = exit.pending[i];
            (uint128 amount, bool fromA, uint8 phase) = (pending.amount, pending.fromA, pending.phase);
            bytes32 leaf = Encoding.hashTransfer(id, exit.identity, amount, fromA);
            payment = _requireGreater(Encoding.hashPayment(DOMAIN, leaf, pending), payment);
            _outcomeOfPhase(phase);
            hashes[i] = Encoding.hashPending(payment, amount, fromA, phase);
            entries[i] = ExitPending(payment, amount, fromA, phase);
        }
        bytes32 digest = Encoding.exitDigest(DOMAIN, id, exit.sentA, exit.sentB, true, hashes);
        Side side = PartySignature.verify(exit.identity, digest, exit.signature);
        // The protocol's only deadline; blocks are off by seconds, periods are hours.
        // solhint-disable-next-line not-rely-on-time
        uint64 finalAt = uint64(block.timestamp) + exit.identity.challengePeriod;
        _staleExits[id] = StaleExit(digest, finalAt, side);
        emit StaleExitSubmitted(id, side, exit.sentA, exit.sentB, finalAt, entries);
    }

    /// What was verified at submission is not verified again: the digest says that it is the same.
    function _finalizeStale(StaleTerms calldata exit) private {
        ChannelId id = Encoding.hashIdentity(DOMAIN, exit.identity);
        ChannelDeposits deposits = _channels[id];
        if (deposits.isSettled()) return;
        StaleExit memory standing = _staleExits[id];
        if (standing.finalAt == 0) revert NoStaleExit(id);
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp < standing.finalAt) revert ChallengePeriodRunning(id, standing.finalAt);
        uint256 count = exit.pending.length;
        int256 net = Netting.netSent(exit.sentA, exit.sentB);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            ExitPending calldata pending = exit.pending[i];
            hashes[i] = Encoding.hashPending(pending.payment, pending.amount, pending.fromA, pending.phase);
            if (Netting.appliesToStale(outcomeOf(pending.payment), pending.fromA, standing.side)) {
                net = Netting.withTransfer(net, pending.amount, pending.fromA);
            }
        }
        bytes32 digest = Encoding.exitDigest(DOMAIN, id, exit.sentA, exit.sentB, true, hashes);
        if (digest != standing.digest) revert StaleExitMismatch(id);
        _finish(id, exit.identity, deposits, net, Settlement.STALE);
    }

    /// @return count of pending payments
    function _requireFits(ChannelId id, Exit calldata exit) private pure returns (uint256 count) {
        count = exit.pending.length;
        if (count > MAX_PENDING) revert TooManyPending(id, count);
    }

    /// @return payment if its id is greater than that of the one before
    function _requireGreater(PaymentId payment, PaymentId previous) private pure returns (PaymentId) {
        if (PaymentId.unwrap(payment) <= PaymentId.unwrap(previous)) revert PendingNotAscending(payment);
        return payment;
    }

    /// The outcome that the payment has, or gets now.
    function _resolve(PaymentId payment, uint8 phase, Settlement how) private returns (Outcome outcome) {
        Outcome written = _outcomeOfPhase(phase);
        outcome = outcomeOf(payment);
        if (outcome != Outcome.NONE) return outcome;
        if (how != Settlement.EJECT) revert OutcomeMissing(payment);
        _write(payment, written);
        return written;
    }

    function _outcomeOfPhase(uint8 phase) private pure returns (Outcome) {
        if (phase == uint8(Outcome.VOID)) return Outcome.VOID;
        if (phase == uint8(Outcome.APPLIED)) return Outcome.APPLIED;
        revert InvalidPhase(phase);
    }

    function _write(PaymentId payment, Outcome outcome) private {
        _outcomes[payment] = uint256(outcome);
        emit OutcomeRecorded(payment, outcome);
    }

    /// Leaves the tombstone and credits the payout addresses.
    function _finish(
        ChannelId id,
        ChannelIdentity calldata identity,
        ChannelDeposits deposits,
        int256 net,
        Settlement how
    ) private {
        (uint128 creditA, uint128 creditB) = Netting.split(deposits, net);
        _channels[id] = ChannelDepositsLibrary.SETTLED;
        _credit(identity.token, identity.payoutA, creditA);
        _credit(identity.token, identity.payoutB, creditB);
        emit Settled(id, creditA, creditB, how);
    }

    function _credit(address token, address account, uint128 amount) private {
        if (amount != 0) _credits[token][account] += amount;
    }
}
