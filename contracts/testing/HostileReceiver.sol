// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";

/// @notice A payout address that misbehaves when coins arrive. For tests only.
contract HostileReceiver {
    enum Mood {
        ACCEPT,
        REFUSE,
        REENTER,
        BURN,
        FLOOD
    }

    IPaymentChannels private immutable CHANNELS;
    Mood private _mood;

    constructor(IPaymentChannels channels) {
        CHANNELS = channels;
    }

    function setMood(Mood mood) external {
        _mood = mood;
    }

    /// A contract that owns a credit may have it sent elsewhere.
    function withdrawTo(address to) external {
        CHANNELS.withdraw(address(0), address(this), to);
    }

    receive() external payable {
        if (_mood == Mood.REFUSE) revert("no, thank you");
        if (_mood == Mood.REENTER) CHANNELS.withdraw(address(0), address(this), address(this));
        if (_mood == Mood.BURN) while (true) {}
        if (_mood == Mood.FLOOD) {
            assembly ("memory-safe") {
                revert(0, 100000)
            }
        }
    }
}
