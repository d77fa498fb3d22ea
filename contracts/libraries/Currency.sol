// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";

/// @notice The only place where money enters and leaves the contract.
///
/// Each function gives control to a stranger, a token or a receiver. Callers have written their state before they
/// send, and read none before a deposit has arrived. What strangers return is copied only in words of fixed number, and
/// their reasons to revert are replaced by ours: no token can speak in the contract's name or make the caller pay for
/// copying.
library Currency {
    address internal constant NATIVE = address(0);

    /// Takes a deposit of the native coin, sent along by the caller.
    function receiveNative(uint256 amount) internal view returns (uint256 received) {
        if (msg.value != amount) revert IPaymentChannels.WrongValue(amount, msg.value);
        if (amount == 0) revert IPaymentChannels.ZeroDeposit();
        return amount;
    }

    /// Takes a deposit of an ERC-20 token that the caller allowed us to fetch. Not reentrant: if a token calls
    /// somebody on its way, what moves meanwhile would be counted as part of this deposit.
    /// @return received what arrived, also if it is less than `amount`; never zero
    function receiveToken(address token, uint256 amount) internal returns (uint256 received) {
        if (msg.value != 0) revert IPaymentChannels.WrongValue(0, msg.value);
        uint256 before = _balance(token);
        if (!SafeERC20.trySafeTransferFrom(IERC20(token), msg.sender, address(this), amount)) {
            revert IPaymentChannels.TokenRefused(token, msg.sender, amount);
        }
        uint256 afterwards = _balance(token);
        if (afterwards <= before) revert IPaymentChannels.ZeroDeposit();
        unchecked {
            return afterwards - before;
        }
    }

    function sendNative(address to, uint256 amount) internal {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert IPaymentChannels.TransferFailed(to, amount);
    }

    /// Not within `receiveToken`: it would make less arrive there.
    function sendToken(address token, address to, uint256 amount) internal {
        if (!SafeERC20.trySafeTransfer(IERC20(token), to, amount)) revert IPaymentChannels.TransferFailed(to, amount);
    }

    /// What the contract holds of a token, as the token says.
    function _balance(address token) private view returns (uint256) {
        (bool success, bytes32 balance,) =
            LowLevelCall.staticcallReturn64Bytes(token, abi.encodeCall(IERC20.balanceOf, (address(this))));
        if (!success || LowLevelCall.returnDataSize() < 32) revert IPaymentChannels.UnsupportedToken(token);
        return uint256(balance);
    }
}
