// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Outcome, PaymentId, Pending} from "../types/Exit.sol";
import {Scene} from "./Scene.sol";

/// @notice Deposits and exits with whatever is signed, against the model in Scene.sol (PROTOCOL.md sections 3, 5, 7).
contract ExitsTest is Scene {
    function testFuzzDepositsAddUpAndNeverPassTheBound(uint128 depositA, uint128 depositB, uint128 more) external {
        ChannelIdentity memory identity = openedChannel(address(0), 0, 1, 0);
        uint256[3] memory amounts = [uint256(depositA), depositB, more];
        uint256[2] memory sums = [uint256(1), 0];
        for (uint256 i = 0; i < 3; ++i) {
            Side side = i == 1 ? Side.B : Side.A;
            if (amounts[i] == 0) VM.expectRevert(IPaymentChannels.ZeroDeposit.selector);
            else if (sums[0] + sums[1] + amounts[i] > type(uint128).max) {
                VM.expectRevert(
                    abi.encodeWithSelector(IPaymentChannels.DepositTooLarge.selector, idOf(identity), amounts[i])
                );
            } else {
                sums[i == 1 ? 1 : 0] += amounts[i];
            }
            channels.deposit{value: amounts[i]}(identity, side, amounts[i]);
        }
        (uint8 status, uint128 foundA, uint128 foundB) = channels.channelOf(idOf(identity));
        same(status, 1, "status");
        same(foundA, sums[0], "deposit of A");
        same(foundB, sums[1], "deposit of B");
        same(address(channels).balance, sums[0] + sums[1], "held");
    }

    function testFuzzAnyAmountButTheValueIsRefused(uint256 amount, uint128 value, bool native) external {
        ChannelIdentity memory identity = newChannel(native ? address(0) : address(token), 0);
        if (!native && value == 0) value = 1;
        if (native && amount == value) ++amount;
        VM.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, native ? amount : 0, value)
        );
        channels.open{value: value}(identity, Side.A, amount);
    }

    function testFuzzCloseFollowsTheModel(uint96 depositA, uint96 depositB, uint128 sentA, uint128 sentB, bool byB)
        external
    {
        ChannelIdentity memory identity = openedChannel(address(0), 0, uint128(depositA) + 1, depositB);
        Exit memory exit =
            signExit(Exit(identity, sentA, sentB, false, new Pending[](0), ""), byB ? KEY_B : KEY_A);
        channels.close(identity, sentA, sentB, exit.signature);
        check(identity, uint256(depositA) + 1, depositB, int256(uint256(sentA)) - int256(uint256(sentB)));
        refused(IPaymentChannels.ChannelSettled.selector, identity);
        channels.close(identity, sentA, sentB, exit.signature);
    }

    /// Up to three pending payments of any size, direction and phase, some with an outcome already.
    function testFuzzEjectFollowsTheModel(uint96 depositA, uint96 depositB, uint128 sentA, uint128 sentB, uint256 seed)
        external
    {
        ChannelIdentity memory identity = openedChannel(address(0), PERIOD, uint128(depositA) + 1, depositB);
        Exit memory exit = Exit(identity, sentA, sentB, false, new Pending[](seed % 4), "");
        int256 net = int256(uint256(sentA)) - int256(uint256(sentB));
        for (uint256 i = 0; i < exit.pending.length; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            uint128 amount = random & 3 == 0 ? uint128(random >> 128) : uint128(uint96(random >> 128));
            Outcome phase = random & 4 == 0 ? Outcome.VOID : Outcome.APPLIED;
            Outcome recorded = Outcome((random >> 8) % 3);
            Pending memory pending = newPending(amount, random & 8 == 0, uint8(phase));
            if (recorded != Outcome.NONE) record(identity, pending, recorded);
            if ((recorded == Outcome.NONE ? phase : recorded) == Outcome.APPLIED) {
                net += pending.fromA ? int256(uint256(amount)) : -int256(uint256(amount));
            }
            exit.pending[i] = pending;
        }
        ascending(identity, exit.pending);
        channels.eject(only(signExit(exit, seed & 16 == 0 ? KEY_A : KEY_B)));
        check(identity, uint256(depositA) + 1, depositB, net);
        for (uint256 i = 0; i < exit.pending.length; ++i) {
            if (channels.outcomeOf(paymentOf(identity, exit.pending[i])) == Outcome.NONE) revert("no outcome");
        }
    }

    function testFuzzAStrangersSignatureSettlesNothing(uint256 key, uint128 sentA, bytes32 noise) external {
        key = key % type(uint128).max + 1;
        if (key == KEY_A || key == KEY_B) key += 2;
        ChannelIdentity memory identity = openedChannel(address(0), 0, 100, 100);
        Exit memory exit = signExit(Exit(identity, sentA, 0, false, new Pending[](0), ""), key);
        VM.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, VM.addr(key)));
        channels.eject(only(exit));
        exit.signature = abi.encodePacked(noise, noise, uint8(27));
        VM.expectRevert();
        channels.eject(only(exit));
        same(statusOf(identity), 1, "status");
    }

    function testFuzzAnOutcomeIsWrittenOnce(bool appliedFirst, bool overSecond, uint128 amount) external {
        ChannelIdentity memory first = openedChannel(address(0), 0, 100, 100);
        Pending memory pending = newPending(amount, true, 1);
        PaymentId payment = paymentOf(first, pending);
        record(first, pending, appliedFirst ? Outcome.APPLIED : Outcome.VOID);
        record(first, pending, appliedFirst ? Outcome.VOID : Outcome.APPLIED);
        pending.phase = overSecond ? 1 : 2;
        Exit memory exit = Exit(first, 0, 0, false, new Pending[](1), "");
        exit.pending[0] = pending;
        channels.eject(only(signExit(exit, KEY_A)));
        same(uint8(channels.outcomeOf(payment)), appliedFirst ? 2 : 1, "outcome");
    }

    function testSeveralClosesInOneCallSkipWhatIsSettled() external {
        Exit[] memory exits = new Exit[](3);
        for (uint256 i = 0; i < exits.length; ++i) {
            ChannelIdentity memory identity = openedChannel(address(0), 0, 100, 0);
            exits[i] = signExit(Exit(identity, uint128(i), 0, false, new Pending[](0), ""), KEY_B);
        }
        channels.close(exits[1].identity, 1, 0, exits[1].signature);
        channels.settle(exits);
        for (uint256 i = 0; i < exits.length; ++i) {
            (uint256 creditA, uint256 creditB) = creditsOf(exits[i].identity);
            same(creditA, 100 - i, "credit of A");
            same(creditB, i, "credit of B");
        }
    }

    function check(ChannelIdentity memory identity, uint256 depositA, uint256 depositB, int256 net) private view {
        (uint256 creditA, uint256 creditB) = creditsOf(identity);
        uint256 expected = shareOfA(depositA, depositB, net);
        same(creditA, expected, "credit of A");
        same(creditB, depositA + depositB - expected, "credit of B");
        same(statusOf(identity), 2, "status");
    }
}
