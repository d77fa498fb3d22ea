// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Side} from "./ChannelIdentity.sol";

/// @notice All that the contract stores of a channel, in one slot: deposits of side A in the high 128 bits, of side B
/// in the low ones.
///
/// Zero: unknown. All ones: settled, for ever. Anything else: open. The three cannot be mistaken for one another, since
/// an open channel has a deposit above zero and the deposits of both sides add up to at most 2^128 - 1.
type ChannelDeposits is uint256;

using ChannelDepositsLibrary for ChannelDeposits global;

library ChannelDepositsLibrary {
    ChannelDeposits internal constant SETTLED = ChannelDeposits.wrap(type(uint256).max);

    function isUnknown(ChannelDeposits deposits) internal pure returns (bool) {
        return ChannelDeposits.unwrap(deposits) == 0;
    }

    function isSettled(ChannelDeposits deposits) internal pure returns (bool) {
        return ChannelDeposits.unwrap(deposits) == type(uint256).max;
    }

    /// Of an unknown or open channel.
    function depositA(ChannelDeposits deposits) internal pure returns (uint128) {
        return uint128(ChannelDeposits.unwrap(deposits) >> 128);
    }

    /// Of an unknown or open channel.
    function depositB(ChannelDeposits deposits) internal pure returns (uint128) {
        return uint128(ChannelDeposits.unwrap(deposits));
    }

    /// What the channel holds. Of an unknown or open channel.
    function total(ChannelDeposits deposits) internal pure returns (uint128) {
        // Cannot overflow: `add` is the only way to raise a deposit, and it bounds the sum.
        unchecked {
            return depositA(deposits) + depositB(deposits);
        }
    }

    /// Deposits after `amount` more from `side`, of an unknown or open channel.
    /// @return fits false where the channel would hold more than 2^128 - 1; `raised` is meaningless then
    function add(ChannelDeposits deposits, Side side, uint256 amount)
        internal
        pure
        returns (bool fits, ChannelDeposits raised)
    {
        unchecked {
            fits = amount <= type(uint128).max - total(deposits);
            raised = ChannelDeposits.wrap(ChannelDeposits.unwrap(deposits) + (side == Side.A ? amount << 128 : amount));
        }
    }
}
