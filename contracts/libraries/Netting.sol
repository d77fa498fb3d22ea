// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelDeposits} from "../types/ChannelDeposits.sol";
import {Side} from "../types/ChannelIdentity.sol";
import {Outcome} from "../types/Exit.sol";

/// @notice Who gets what a channel holds.
///
/// The credits always add up to the deposits, whatever was signed: the contract never pays out more than was paid in,
/// and no channel ever touches the money of another. Signed 256-bit arithmetic on sums of at most 401 amounts of 128
/// bits cannot overflow.
library Netting {
    /// What A has sent B, less what B has sent A, before any pending payment.
    function netSent(uint128 sentA, uint128 sentB) internal pure returns (int256) {
        unchecked {
            return int256(uint256(sentA)) - int256(uint256(sentB));
        }
    }

    /// `net` after a pending payment was applied.
    function withTransfer(int256 net, uint128 amount, bool fromA) internal pure returns (int256) {
        unchecked {
            return fromA ? net + int256(uint256(amount)) : net - int256(uint256(amount));
        }
    }

    /// Whether a pending payment counts as applied in a stale exit of `side`: as recorded, and where nothing is
    /// recorded, against that side. What it would pay counts as paid, what it would receive as never sent, so the other
    /// side gets at least what any outcome would give it.
    function appliesToStale(Outcome recorded, bool fromA, Side side) internal pure returns (bool) {
        if (recorded == Outcome.NONE) return fromA == (side == Side.A);
        return recorded == Outcome.APPLIED;
    }

    /// @param net what A has sent B, less what B has sent A
    /// @return creditA balance of A, clipped once to what the channel holds
    /// @return creditB the rest
    function split(ChannelDeposits deposits, int256 net) internal pure returns (uint128 creditA, uint128 creditB) {
        unchecked {
            int256 total = int256(uint256(deposits.total()));
            int256 balanceA = int256(uint256(deposits.depositA())) - net;
            int256 clipped = balanceA < 0 ? int256(0) : balanceA > total ? total : balanceA;
            creditA = uint128(uint256(clipped));
            creditB = uint128(uint256(total - clipped));
        }
    }
}
