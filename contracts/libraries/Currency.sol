// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";

/// @notice The only place where money enters and leaves the contract.
///
/// Callers write their state first: `send` gives control to a stranger. Tokens other than the native coin are refused
/// for now; here is where ERC-20 transfers go.
library Currency {
    address internal constant NATIVE = address(0);

    /// Takes a deposit from the caller.
    /// @return received base units that arrived, never zero
    function receiveDeposit(address token, uint256 amount) internal returns (uint256 received) {
        requireSupported(token);
        if (msg.value != amount) revert IPaymentChannels.WrongValue(amount, msg.value);
        if (amount == 0) revert IPaymentChannels.ZeroDeposit();
        return amount;
    }

    /// Pays out. What the receiver returns is not copied: it cannot make the caller pay for it.
    function send(address token, address to, uint256 amount) internal {
        requireSupported(token);
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert IPaymentChannels.TransferFailed(to, amount);
    }

    function requireSupported(address token) internal pure {
        if (token != NATIVE) revert IPaymentChannels.UnsupportedToken(token);
    }
}
