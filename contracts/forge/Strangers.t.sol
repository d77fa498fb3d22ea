// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {HostileReceiver} from "../testing/HostileReceiver.sol";
import {TestToken} from "../testing/TestToken.sol";
import {ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Pending} from "../types/Exit.sol";
import {Scene} from "./Scene.sol";

/// @notice Tokens and receivers that misbehave: they harm nobody but those who chose them (PROTOCOL.md sections 3, 7).
contract StrangersTest is Scene {
    TestToken private hostile;

    function setUp() external {
        hostile = new TestToken();
        hostile.mint(address(this), type(uint128).max);
        hostile.approve(address(channels), type(uint256).max);
        // What belongs to others and must not move, in coins and in both tokens.
        openedChannel(address(0), 0, 1000, 0);
        openedChannel(address(token), 0, 1000, 0);
        openedChannel(address(hostile), 0, 1000, 0);
    }

    function testFuzzATokenIsDepositedSettledAndWithdrawn(uint96 depositA, uint96 depositB, uint96 sentA, bool silent)
        external
    {
        if (silent) token.setMood(TestToken.Mood.SILENT);
        ChannelIdentity memory identity = openedChannel(address(token), 0, uint128(depositA) + 1, depositB);
        settleAndWithdraw(identity, sentA);
        uint256 expected = shareOfA(uint256(depositA) + 1, depositB, int256(uint256(sentA)));
        same(token.balanceOf(identity.payoutA), expected, "paid to A");
        same(token.balanceOf(identity.payoutB), uint256(depositA) + 1 + depositB - expected, "paid to B");
        same(token.balanceOf(address(channels)), 1000, "held");
    }

    function testFuzzOfATokenThatTakesAFeeWhatArrivedIsCredited(uint96 amount) external {
        uint256 deposit = uint256(amount) + 2;
        hostile.setMood(TestToken.Mood.FEE);
        ChannelIdentity memory identity = openedChannel(address(hostile), 0, uint128(deposit), 0);
        (, uint128 depositA,) = channels.channelOf(idOf(identity));
        same(depositA, deposit - deposit / 10, "credited");
        same(hostile.balanceOf(address(channels)), 1000 + depositA, "held");
        settleAndWithdraw(identity, 0);
        same(hostile.balanceOf(address(channels)), 1000, "held after");
    }

    function testATokenThatHandsNothingOverOpensNothing() external {
        TestToken.Mood[4] memory moods =
            [TestToken.Mood.REFUSE, TestToken.Mood.REVERT, TestToken.Mood.FLOOD, TestToken.Mood.KEEP];
        for (uint256 i = 0; i < moods.length; ++i) {
            hostile.setMood(moods[i]);
            ChannelIdentity memory identity = newChannel(address(hostile), 0);
            VM.expectRevert(
                moods[i] == TestToken.Mood.KEEP
                    ? abi.encodeWithSelector(IPaymentChannels.ZeroDeposit.selector)
                    : abi.encodeWithSelector(
                        IPaymentChannels.TokenRefused.selector, address(hostile), address(this), 10
                    )
            );
            channels.open(identity, Side.A, 10);
            same(statusOf(identity), 0, "status");
        }
    }

    function testWhatTellsNoBalancesIsNoToken() external {
        hostile.setMood(TestToken.Mood.MUTE);
        address[3] memory none = [address(hostile), address(0xbeef), address(this)];
        for (uint256 i = 0; i < none.length; ++i) {
            ChannelIdentity memory identity = newChannel(none[i], 0);
            VM.expectRevert(abi.encodeWithSelector(IPaymentChannels.UnsupportedToken.selector, none[i]));
            channels.open(identity, Side.A, 10);
        }
    }

    function testOneWhoHasNotApprovedDepositsNothing() external {
        ChannelIdentity memory identity = newChannel(address(token), 0);
        VM.prank(address(0xbeef));
        VM.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.TokenRefused.selector, address(token), address(0xbeef), 10)
        );
        channels.open(identity, Side.A, 10);
    }

    /// Its lie is bounded by the slot of its own channel, and no other token's channel gets anything of it.
    function testALyingTokenMayCreditItsOwnChannelsOnly() external {
        hostile.setMood(TestToken.Mood.LIE);
        ChannelIdentity memory identity = newChannel(address(hostile), 0);
        VM.expectRevert();
        channels.open(identity, Side.A, 10);
        hostile.setMood(TestToken.Mood.HONEST);
        openedChannel(address(hostile), 0, 10, 0);
        same(token.balanceOf(address(channels)), 1000, "other token");
        same(address(channels).balance, 1000, "coins");
    }

    /// ERC-777 style: the inner deposit would be counted by the outer one as well.
    function testADepositWithinADepositIsRefusedAndCountedOnce() external {
        ChannelIdentity memory outer = newChannel(address(hostile), 0);
        ChannelIdentity memory inner = newChannel(address(hostile), 0);
        hostile.mint(address(hostile), 500);
        hostile.approveOwn(address(channels), 500);
        hostile.setHook(address(channels), abi.encodeCall(channels.open, (inner, Side.A, 500)));
        channels.open(outer, Side.A, 100);
        refusedWithin();
        (, uint128 depositA,) = channels.channelOf(idOf(outer));
        same(depositA, 100, "the outer deposit");
        same(statusOf(inner), 0, "status of the inner one");
        same(hostile.balanceOf(address(channels)), 1100, "held");
    }

    /// The channel is settled while its deposit is fetched: the deposit must not bring it back to life.
    function testAChannelSettledWithinItsDepositStaysSettled() external {
        ChannelIdentity memory identity = openedChannel(address(hostile), 0, 100, 0);
        Exit memory exit = signExit(Exit(identity, 40, 0, false, new Pending[](0), ""), KEY_A);
        hostile.setHook(address(channels), abi.encodeCall(channels.close, (identity, 40, 0, exit.signature)));
        refused(IPaymentChannels.ChannelSettled.selector, identity);
        channels.deposit(identity, Side.A, 100);
        hostile.setHook(address(channels), abi.encodeCall(channels.close, (identity, 40, 0, exit.signature)));
        refused(IPaymentChannels.ChannelSettled.selector, identity);
        channels.open(identity, Side.A, 100);
        same(statusOf(identity), 1, "status");
    }

    /// It would be taken for a part of the deposit that did not arrive, or pay a credit twice.
    function testAWithdrawalWithinADepositOrAWithdrawalIsRefused() external {
        ChannelIdentity memory rich = openedChannel(address(hostile), 0, 100, 0);
        Exit memory exit = signExit(Exit(rich, 40, 0, false, new Pending[](0), ""), KEY_A);
        channels.close(rich, 40, 0, exit.signature);
        bytes memory withdrawal =
            abi.encodeCall(channels.withdraw, (address(hostile), rich.payoutB, rich.payoutB));
        hostile.setHook(address(channels), withdrawal);
        ChannelIdentity memory poor = openedChannel(address(hostile), 0, 150, 0);
        refusedWithin();
        (, uint128 depositA,) = channels.channelOf(idOf(poor));
        same(depositA, 150, "deposit");

        hostile.setHook(address(channels), withdrawal);
        channels.withdraw(address(hostile), rich.payoutA, rich.payoutA);
        refusedWithin();
        same(hostile.balanceOf(rich.payoutA), 60, "paid");
        same(hostile.balanceOf(address(channels)), 1190, "held");
    }

    function testATokenThatPaysNothingOutLeavesTheCreditAsItIs() external {
        ChannelIdentity memory identity = openedChannel(address(hostile), 0, 10, 0);
        Exit memory exit = signExit(Exit(identity, 0, 0, false, new Pending[](0), ""), KEY_A);
        channels.close(identity, 0, 0, exit.signature);
        TestToken.Mood[3] memory moods = [TestToken.Mood.REFUSE, TestToken.Mood.REVERT, TestToken.Mood.FLOOD];
        for (uint256 i = 0; i < moods.length; ++i) {
            hostile.setMood(moods[i]);
            VM.expectRevert(
                abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, identity.payoutA, 10)
            );
            channels.withdraw(address(hostile), identity.payoutA, identity.payoutA);
            same(channels.creditOf(address(hostile), identity.payoutA), 10, "credit");
        }
        hostile.setMood(TestToken.Mood.HONEST);
        channels.withdraw(address(hostile), identity.payoutA, identity.payoutA);
        same(hostile.balanceOf(identity.payoutA), 10, "paid");
    }

    function testAReceiverInAnyMoodHarmsOnlyItself() external {
        for (uint8 mood = 1; mood < 5; ++mood) {
            HostileReceiver receiver = new HostileReceiver(channels);
            receiver.setMood(HostileReceiver.Mood(mood));
            ChannelIdentity memory identity = newChannel(address(0), 0);
            identity.payoutA = address(receiver);
            fund(identity, Side.A, 10);
            Exit memory exit = signExit(Exit(identity, 3, 0, false, new Pending[](0), ""), KEY_B);
            channels.close(identity, 3, 0, exit.signature);
            channels.withdraw(address(0), identity.payoutB, identity.payoutB);
            same(identity.payoutB.balance, 3, "paid to B");
            VM.expectRevert(
                abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, address(receiver), 7)
            );
            channels.withdraw{gas: 1_000_000}(address(0), address(receiver), address(receiver));
            receiver.withdrawTo(identity.payoutB);
            same(identity.payoutB.balance, 10, "sent elsewhere");
        }
        same(address(channels).balance, 1000, "held");
    }

    /// What the token tried on its way.
    function refusedWithin() private view {
        if (hostile.hookSucceeded()) revert("the call within was accepted");
        if (bytes4(hostile.hookAnswer()) != ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector) {
            revert("the call within was refused for another reason");
        }
    }

    function settleAndWithdraw(ChannelIdentity memory identity, uint128 sentA) private {
        Exit memory exit = signExit(Exit(identity, sentA, 0, false, new Pending[](0), ""), KEY_A);
        channels.settle(only(exit));
        (uint256 creditA, uint256 creditB) = creditsOf(identity);
        if (creditA != 0) channels.withdraw(identity.token, identity.payoutA, identity.payoutA);
        if (creditB != 0) channels.withdraw(identity.token, identity.payoutB, identity.payoutB);
    }
}
