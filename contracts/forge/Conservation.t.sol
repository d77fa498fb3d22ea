// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Outcome, PaymentId} from "../types/Exit.sol";
import {Operator} from "./Operator.sol";

/// @notice Invariants 1 to 3 of PROTOCOL.md section 7, after random calls by an operator that tries everything.
contract ConservationTest {
    error Violated(string what);

    Operator private _operator;

    function setUp() external {
        _operator = new Operator();
    }

    /// What forge calls at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_operator);
    }

    /// Exactly what deposits of open channels and credits add up to is there, of every token.
    function invariantConservation() external view {
        for (uint256 i = 0; i < _operator.TOKENS(); ++i) {
            if (_operator.held(i) != _operator.owed(i)) revert Violated("held is not owed");
        }
    }

    function invariantNeverPaysOutMoreThanWasPaidIn() external view {
        for (uint256 i = 0; i < _operator.TOKENS(); ++i) {
            if (_operator.paidOut(i) > _operator.paidIn(i)) revert Violated("paid out more than was paid in");
            if (_operator.paidIn(i) - _operator.paidOut(i) != _operator.held(i)) revert Violated("money went astray");
        }
    }

    function invariantAnOutcomeStaysWhatItIs() external view {
        for (uint256 i = 0; i < _operator.countOfPayments(); ++i) {
            (PaymentId payment, Outcome first) = _operator.payments(i);
            if (first != Outcome.NONE && _operator.outcomeOf(payment) != first) revert Violated("an outcome changed");
        }
    }

    function invariantASettledChannelStaysSettled() external view {
        for (uint256 i = 0; i < _operator.countOfChannels(); ++i) {
            if (_operator.settled(i) && _operator.statusAt(i) != 2) revert Violated("a settled channel came back");
        }
    }

    function invariantTheFirstStaleExitStands() external view {
        for (uint256 i = 0; i < _operator.countOfChannels(); ++i) {
            bytes32 first = _operator.staleDigests(i);
            if (first != 0 && !_operator.settled(i) && _operator.staleDigestAt(i) != first) {
                revert Violated("a stale exit was replaced");
            }
        }
    }
}
