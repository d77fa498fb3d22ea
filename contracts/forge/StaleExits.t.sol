// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Outcome, Pending} from "../types/Exit.sol";
import {ExitPending, StaleTerms} from "../types/StaleExit.sol";
import {Scene} from "./Scene.sol";
import {Vm} from "./Vm.sol";

/// @notice Exits of enclaves that lost their state (PROTOCOL.md section 6).
contract StaleExitsTest is Scene {
    /// Stale exit of A over 100 + 100 with `sentA` and no pending payment, submitted.
    function submitted(uint128 sentA) private returns (Exit memory exit) {
        exit = staleExit(openedChannel(address(0), PERIOD, 100, 100), sentA, new Pending[](0), KEY_A);
        channels.submitStale(only(exit));
    }

    function staleExit(ChannelIdentity memory identity, uint128 sentA, Pending[] memory pending, uint256 key)
        private
        view
        returns (Exit memory)
    {
        return signExit(Exit(identity, sentA, 0, true, ascending(identity, pending), ""), key);
    }

    function testItWaitsForThePeriodAndNothingIsSettledBefore() external {
        uint256 start = VM.getBlockTimestamp();
        Exit memory exit = submitted(30);
        (uint64 finalAt, Side side, bytes32 digest) = channels.staleExitOf(idOf(exit.identity));
        same(finalAt, start + PERIOD, "final at");
        same(uint8(side), uint8(Side.A), "side");
        same(uint256(digest), uint256(digestOf(exit)), "digest");
        same(statusOf(exit.identity), 1, "status");

        VM.warp(finalAt - 1);
        VM.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.ChallengePeriodRunning.selector, idOf(exit.identity), finalAt
            )
        );
        channels.finalizeStale(only(termsOf(exit)));
        VM.warp(finalAt);
        VM.prank(address(0xdead));
        channels.finalizeStale(only(termsOf(exit)));
        (uint256 creditA, uint256 creditB) = creditsOf(exit.identity);
        same(creditA, 70, "credit of A");
        same(creditB, 130, "credit of B");
        (finalAt,,) = channels.staleExitOf(idOf(exit.identity));
        same(finalAt, 0, "nothing stands on a settled channel");
        channels.finalizeStale(only(termsOf(exit)));
        channels.submitStale(only(exit));
    }

    function testTheEventOfItsSubmissionIsEnoughToFinaliseIt() external {
        ChannelIdentity memory identity = openedChannel(address(0), PERIOD, 100, 100);
        Pending[] memory pending = new Pending[](2);
        for (uint8 i = 0; i < 2; ++i) pending[i] = newPending(10 + i, i == 0, i + 1);
        Exit memory exit = staleExit(identity, 1, pending, KEY_B);
        VM.recordLogs();
        channels.submitStale(only(exit));
        Vm.Log memory log = VM.getRecordedLogs()[0];
        (Side side, uint128 sentA, uint128 sentB, uint64 finalAt, ExitPending[] memory entries) =
            abi.decode(log.data, (Side, uint128, uint128, uint64, ExitPending[]));
        same(uint8(side), uint8(Side.B), "side");
        VM.warp(finalAt);
        channels.finalizeStale(only(StaleTerms(identity, sentA, sentB, entries)));
        same(statusOf(identity), 2, "status");
    }

    function testOrdinaryExitsOfEitherPartyReplaceItUntilItIsFinalised() external {
        for (uint256 i = 0; i < 6; ++i) {
            Exit memory stale = submitted(90);
            if (i % 2 == 1) VM.warp(VM.getBlockTimestamp() + 2 * PERIOD);
            uint256 key = i < 4 ? KEY_B : KEY_A;
            Exit memory exit = signExit(Exit(stale.identity, 20, 0, false, new Pending[](0), ""), key);
            if (i < 2) channels.close(exit.identity, 20, 0, exit.signature);
            else if (i < 4) channels.eject(only(exit));
            else channels.settle(only(exit));
            VM.warp(VM.getBlockTimestamp() + 2 * PERIOD);
            channels.finalizeStale(only(termsOf(stale)));
            (uint256 creditA,) = creditsOf(stale.identity);
            same(creditA, 80, "credit of A");
        }
    }

    function testTheFirstOneStandsAndNoneRestartsThePeriod() external {
        Exit memory first = submitted(30);
        (uint64 finalAt,,) = channels.staleExitOf(idOf(first.identity));
        VM.warp(VM.getBlockTimestamp() + PERIOD / 2);
        Exit memory second = staleExit(first.identity, 10, new Pending[](0), KEY_B);
        channels.submitStale(only(second));
        channels.submitStale(only(first));
        (uint64 foundAt, Side side, bytes32 digest) = channels.staleExitOf(idOf(first.identity));
        same(foundAt, finalAt, "final at");
        same(uint8(side), uint8(Side.A), "side");
        same(uint256(digest), uint256(digestOf(first)), "digest");
        VM.warp(finalAt);
        refused(IPaymentChannels.StaleExitMismatch.selector, first.identity);
        channels.finalizeStale(only(termsOf(second)));
        channels.finalizeStale(only(termsOf(first)));
    }

    function testOnlyChannelsThatAgreedKnowThem() external {
        ChannelIdentity memory identity = openedChannel(address(0), 0, 100, 100);
        Exit memory exit = staleExit(identity, 0, new Pending[](0), KEY_A);
        refused(IPaymentChannels.StaleExitsExcluded.selector, identity);
        channels.submitStale(only(exit));
        refused(IPaymentChannels.NoStaleExit.selector, identity);
        channels.finalizeStale(only(termsOf(exit)));
        identity = newChannel(address(0), PERIOD);
        exit = staleExit(identity, 0, new Pending[](0), KEY_A);
        refused(IPaymentChannels.UnknownChannel.selector, identity);
        channels.submitStale(only(exit));
        refused(IPaymentChannels.NoStaleExit.selector, identity);
        channels.finalizeStale(only(termsOf(exit)));
    }

    function testStaleAndOrdinaryExitsAreNeverTakenForEachOther() external {
        Exit memory exit = submitted(30);
        refused(IPaymentChannels.StaleExitMustWait.selector, exit.identity);
        channels.eject(only(exit));
        refused(IPaymentChannels.StaleExitMustWait.selector, exit.identity);
        channels.settle(only(exit));
        exit.stale = false;
        VM.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
        channels.eject(only(exit));
        VM.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
        channels.close(exit.identity, exit.sentA, exit.sentB, exit.signature);
        exit = signExit(Exit(openedChannel(address(0), PERIOD, 1, 1), 0, 0, false, new Pending[](0), ""), KEY_A);
        refused(IPaymentChannels.ExitNotStale.selector, exit.identity);
        channels.submitStale(only(exit));
        exit.stale = true;
        VM.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
        channels.submitStale(only(exit));
    }

    function testSubmissionVerifiesWhatAnExitMustProve() external {
        ChannelIdentity memory identity = openedChannel(address(0), PERIOD, 100, 100);
        Pending[] memory pending = new Pending[](2);
        for (uint256 i = 0; i < 2; ++i) pending[i] = newPending(10, true, 2);
        Exit memory exit = staleExit(identity, 0, pending, KEY_A);
        pending[0].amount = 11;
        VM.expectRevert();
        channels.submitStale(only(exit));
        pending[0].amount = 10;
        (pending[0], pending[1]) = (pending[1], pending[0]);
        VM.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.PendingNotAscending.selector, paymentOf(identity, pending[1])
            )
        );
        channels.submitStale(only(exit));
        (pending[0], pending[1]) = (pending[1], pending[0]);
        pending[1].phase = 3;
        VM.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidPhase.selector, 3));
        channels.submitStale(only(signExit(exit, KEY_A)));
        exit.pending = new Pending[](401);
        for (uint256 i = 0; i < 401; ++i) exit.pending[i] = pending[0];
        VM.expectRevert(abi.encodeWithSelector(IPaymentChannels.TooManyPending.selector, idOf(identity), 401));
        channels.submitStale(only(exit));
    }

    function testASubmissionThatFailsTakesTheWholeCallBack() external {
        Exit[] memory exits = new Exit[](2);
        for (uint256 i = 0; i < 2; ++i) {
            exits[i] = staleExit(openedChannel(address(0), PERIOD, 1, 0), 0, new Pending[](0), KEY_A);
        }
        exits[1].sentA = 1;
        VM.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
        channels.submitStale(exits);
        (uint64 finalAt,,) = channels.staleExitOf(idOf(exits[0].identity));
        same(finalAt, 0, "nothing stands");
    }

    /// Up to three pending payments, each recorded before submission, during the period, or never: whatever is recorded
    /// is followed, the rest counts against the side that signed, and no outcome is ever written.
    function testFuzzFinalisingFollowsTheModel(uint96 depositA, uint96 depositB, uint128 sentA, uint256 seed)
        external
    {
        ChannelIdentity memory identity = openedChannel(address(0), PERIOD, uint128(depositA) + 1, depositB);
        Pending[] memory pending = new Pending[](seed % 4);
        uint256[] memory recorded = new uint256[](pending.length);
        bool staleA = seed & 16 == 0;
        for (uint256 i = 0; i < pending.length; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            uint128 amount = random & 3 == 0 ? uint128(random >> 128) : uint128(uint96(random >> 128));
            pending[i] = newPending(amount, random & 8 == 0, uint8(1 + (random >> 16) % 2));
        }
        Exit memory exit = staleExit(identity, sentA, pending, staleA ? KEY_A : KEY_B);
        int256 net = int256(uint256(sentA));
        for (uint256 early = 0; early < 2; ++early) {
            for (uint256 i = 0; i < pending.length; ++i) {
                uint256 random = uint256(keccak256(abi.encode(seed, "recorded", i)));
                if (random & 1 == early && random % 3 != 0) {
                    recorded[i] = random % 3;
                    record(identity, pending[i], Outcome(recorded[i]));
                }
            }
            if (early == 0) channels.submitStale(only(exit));
        }
        for (uint256 i = 0; i < pending.length; ++i) {
            bool against = recorded[i] == 0 && pending[i].fromA == staleA;
            if (!against && recorded[i] != uint256(Outcome.APPLIED)) continue;
            net += pending[i].fromA ? int256(uint256(pending[i].amount)) : -int256(uint256(pending[i].amount));
        }
        VM.warp(VM.getBlockTimestamp() + PERIOD);
        channels.finalizeStale(only(termsOf(exit)));
        (uint256 creditA, uint256 creditB) = creditsOf(identity);
        uint256 expected = shareOfA(uint256(depositA) + 1, depositB, net);
        same(creditA, expected, "credit of A");
        same(creditB, uint256(depositA) + 1 + depositB - expected, "credit of B");
        for (uint256 i = 0; i < pending.length; ++i) {
            same(uint8(channels.outcomeOf(paymentOf(identity, pending[i]))), recorded[i], "outcome");
        }
    }

    /// Whatever becomes of the payments elsewhere, the side that kept its state is never worse off than by the truth.
    function testFuzzTheOtherSideNeverLosesByWhatIsUnrecorded(uint64 amount, bool fromA, bool staleA, bool applied)
        external
    {
        uint256[2] memory others;
        for (uint256 i = 0; i < 2; ++i) {
            ChannelIdentity memory identity = openedChannel(address(0), PERIOD, type(uint64).max, type(uint64).max);
            Pending[] memory pending = new Pending[](1);
            pending[0] = newPending(amount, fromA, 2);
            Exit memory exit = staleExit(identity, 0, pending, staleA ? KEY_A : KEY_B);
            channels.submitStale(only(exit));
            if (i == 1) record(identity, pending[0], applied ? Outcome.APPLIED : Outcome.VOID);
            VM.warp(VM.getBlockTimestamp() + PERIOD);
            channels.finalizeStale(only(termsOf(exit)));
            (uint256 creditA, uint256 creditB) = creditsOf(identity);
            others[i] = staleA ? creditB : creditA;
        }
        if (others[0] < others[1]) revert Differs("the other side lost", others[0], others[1]);
    }

    function testFuzzDepositsDuringThePeriodCountForTheirSide(uint64 more, bool sideA) external {
        Exit memory exit = submitted(30);
        fund(exit.identity, sideA ? Side.A : Side.B, more);
        VM.warp(VM.getBlockTimestamp() + PERIOD);
        channels.finalizeStale(only(termsOf(exit)));
        (uint256 creditA, uint256 creditB) = creditsOf(exit.identity);
        same(creditA, 70 + (sideA ? uint256(more) : 0), "credit of A");
        same(creditB, 130 + (sideA ? 0 : uint256(more)), "credit of B");
    }

    function testFuzzNoOtherTermsFinaliseIt(uint128 sentA, uint128 sentB, uint128 amount, bool fromA, uint8 phase)
        external
    {
        ChannelIdentity memory identity = openedChannel(address(0), PERIOD, 100, 100);
        Pending[] memory pending = new Pending[](1);
        pending[0] = newPending(10, true, 2);
        Exit memory exit = staleExit(identity, 5, pending, KEY_A);
        channels.submitStale(only(exit));
        VM.warp(VM.getBlockTimestamp() + PERIOD);
        StaleTerms memory terms = termsOf(exit);
        (terms.sentA, terms.sentB) = (sentA, sentB);
        terms.pending[0] = ExitPending(terms.pending[0].payment, amount, fromA, phase);
        if (sentA == 5 && sentB == 0 && amount == 10 && fromA && phase == 2) return;
        refused(IPaymentChannels.StaleExitMismatch.selector, identity);
        channels.finalizeStale(only(terms));
        terms = termsOf(exit);
        terms.pending = new ExitPending[](0);
        refused(IPaymentChannels.StaleExitMismatch.selector, identity);
        channels.finalizeStale(only(terms));
    }
}
