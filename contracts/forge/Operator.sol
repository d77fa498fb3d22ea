// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestToken} from "../testing/TestToken.sol";
import {ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Outcome, PaymentId, Pending} from "../types/Exit.sol";
import {Scene} from "./Scene.sol";

/// @notice Makes every call of the contract in any order, with exits that contradict each other: both parties' enclaves
/// are broken, and sign whatever is asked. Remembers what must not change afterwards.
///
/// Three tokens: the coin, a token that at times takes a fee and at times returns nothing, and the same as a second
/// one.
contract Operator is Scene {
    struct Payment {
        PaymentId id;
        Outcome first;
    }

    uint256 public constant TOKENS = 3;
    uint256 private constant CHANNELS = 6;
    address[3] private _tokens;
    ChannelIdentity[6] private _identities;
    Pending[] private _pending;
    uint256[] private _channelOfPending;
    Payment[] public payments;
    bool[6] public settled;
    bytes32[6] public staleDigests;
    Exit[6] private _staleExits;
    uint256[3] public paidIn;
    uint256[3] public paidOut;

    constructor() {
        TestToken second = new TestToken();
        second.mint(address(this), type(uint128).max);
        second.approve(address(channels), type(uint256).max);
        _tokens = [address(0), address(token), address(second)];
        for (uint256 i = 0; i < CHANNELS; ++i) {
            _identities[i] = newChannel(_tokens[i % TOKENS], i < TOKENS ? PERIOD : 0);
            // Two channels of a token share an address, so that credits meet.
            _identities[i].payoutA = _identities[i % TOKENS].payoutA;
            for (uint256 j = 0; j < 3; ++j) _addPayment(i, uint128(50 << (24 * j)), j != 1);
        }
    }

    function deposit(uint256 index, uint96 amount, bool sideA, uint8 mood) external {
        index %= CHANNELS;
        if (settled[index] || amount < 2) return;
        ChannelIdentity memory identity = _identities[index];
        uint256 before = held(index % TOKENS);
        if (index % TOKENS != 0) TestToken(identity.token).setMood(TestToken.Mood(mood % 3));
        fund(identity, sideA ? Side.A : Side.B, amount);
        paidIn[index % TOKENS] += held(index % TOKENS) - before;
    }

    function close(uint256 index, uint96 sentA, uint96 sentB, bool byA) external {
        index %= CHANNELS;
        if (statusAt(index) != 1) return;
        Exit memory exit = _exit(index, sentA, sentB, 0, false, byA);
        channels.close(exit.identity, sentA, sentB, exit.signature);
        _after(index);
    }

    /// Also of settled channels, which are skipped.
    function eject(uint256 index, uint96 sentA, uint96 sentB, uint256 which, bool byA) external {
        index %= CHANNELS;
        if (statusAt(index) == 0) return;
        channels.eject(only(_exit(index, sentA, sentB, which, false, byA)));
        _after(index);
    }

    function settle(uint256 index, uint96 sentA, uint256 which, bool byA) external {
        index %= CHANNELS;
        if (statusAt(index) == 0) return;
        // Only what can be followed.
        for (uint256 i = 0; i < 3; ++i) {
            if (payments[3 * index + i].first == Outcome.NONE) which &= ~(1 << i);
        }
        channels.settle(only(_exit(index, sentA, 0, which, false, byA)));
        _after(index);
    }

    function recordOutcome(uint256 index, bool applied) external {
        index %= payments.length;
        record(_identities[_channelOfPending[index]], _pending[index], applied ? Outcome.APPLIED : Outcome.VOID);
        _remember();
    }

    function submitStale(uint256 index, uint96 sentA, uint256 which, bool byA) external {
        index %= TOKENS;
        if (statusAt(index) == 0) return;
        Exit memory exit = _exit(index, sentA, 0, which, true, byA);
        channels.submitStale(only(exit));
        if (staleDigests[index] != 0 || settled[index]) return;
        staleDigests[index] = digestOf(exit);
        delete _staleExits[index];
        Exit storage kept = _staleExits[index];
        (kept.identity, kept.sentA, kept.stale) = (exit.identity, exit.sentA, true);
        for (uint256 i = 0; i < exit.pending.length; ++i) kept.pending.push(exit.pending[i]);
    }

    function finalizeStale(uint256 index) external {
        index %= TOKENS;
        if (staleDigests[index] == 0) return;
        VM.warp(VM.getBlockTimestamp() + PERIOD);
        channels.finalizeStale(only(termsOf(_staleExits[index])));
        _after(index);
    }

    function withdraw(uint256 index, bool sideA, address to) external {
        index %= CHANNELS;
        address account = sideA ? _identities[index].payoutA : _identities[index].payoutB;
        uint256 credit = channels.creditOf(_identities[index].token, account);
        if (credit == 0 || to == address(0) || to == address(channels) || uint160(to) < 1024) return;
        if (to.code.length != 0) to = account;
        paidOut[index % TOKENS] += credit;
        VM.prank(account);
        channels.withdraw(_identities[index].token, account, to);
    }

    function held(uint256 which) public view returns (uint256) {
        address token_ = _tokens[which];
        return token_ == address(0) ? address(channels).balance : TestToken(token_).balanceOf(address(channels));
    }

    /// Deposits of open channels and credits.
    function owed(uint256 which) external view returns (uint256 sum) {
        for (uint256 i = which; i < CHANNELS; i += TOKENS) {
            (, uint128 depositA, uint128 depositB) = channels.channelOf(idOf(_identities[i]));
            sum += uint256(depositA) + depositB + channels.creditOf(_tokens[which], _identities[i].payoutB);
        }
        sum += channels.creditOf(_tokens[which], _identities[which].payoutA);
    }

    function statusAt(uint256 index) public view returns (uint8) {
        return statusOf(_identities[index]);
    }

    function staleDigestAt(uint256 index) external view returns (bytes32 digest) {
        (,, digest) = channels.staleExitOf(idOf(_identities[index]));
    }

    function outcomeOf(PaymentId payment) external view returns (Outcome) {
        return channels.outcomeOf(payment);
    }

    function countOfPayments() external view returns (uint256) {
        return payments.length;
    }

    function countOfChannels() external pure returns (uint256) {
        return CHANNELS;
    }

    function _addPayment(uint256 index, uint128 amount, bool fromA) private {
        Pending memory pending = newPending(amount, fromA, 1);
        _pending.push(pending);
        _channelOfPending.push(index);
        payments.push(Payment(paymentOf(_identities[index], pending), Outcome.NONE));
    }

    /// @param which bits: 0 to 2 say which payments of the channel are pending, 8 to 10 which of them in POST-UPDATE
    function _exit(uint256 index, uint128 sentA, uint128 sentB, uint256 which, bool stale, bool byA)
        private
        view
        returns (Exit memory)
    {
        uint256 count = (which & 1) + (which >> 1 & 1) + (which >> 2 & 1);
        Pending[] memory pending = new Pending[](count);
        for (uint256 i = 0; i < 3; ++i) {
            if (which >> i & 1 == 0) continue;
            pending[--count] = _pending[3 * index + i];
            pending[count].phase = uint8(1 + (which >> (8 + i) & 1));
        }
        ChannelIdentity memory identity = _identities[index];
        Exit memory exit = Exit(identity, sentA, sentB, stale, ascending(identity, pending), "");
        return signExit(exit, byA ? KEY_A : KEY_B);
    }

    function _after(uint256 index) private {
        settled[index] = true;
        _remember();
    }

    function _remember() private {
        for (uint256 i = 0; i < payments.length; ++i) {
            if (payments[i].first == Outcome.NONE) payments[i].first = channels.outcomeOf(payments[i].id);
        }
    }
}
