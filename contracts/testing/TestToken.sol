// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice An ERC-20 token in every mood that tokens have been seen in. For tests only.
contract TestToken {
    /// SILENT returns nothing, FEE keeps a tenth, REFUSE returns false, REVERT reverts with a forged error of the
    /// channel contract, KEEP returns true and moves nothing, LIE tells everybody a huge balance, HOOK calls somebody
    /// before it moves anything (as ERC-777 calls senders), FLOOD returns 100,000 bytes, MUTE reverts when asked for a
    /// balance.
    enum Mood {
        HONEST,
        SILENT,
        FEE,
        REFUSE,
        REVERT,
        KEEP,
        LIE,
        HOOK,
        FLOOD,
        MUTE
    }

    error ChannelSettled(bytes32 id);

    string public symbol = "TEST";
    uint8 public decimals = 6;
    mapping(address account => mapping(address spender => uint256)) public allowance;
    mapping(address account => uint256) private _balances;
    Mood public mood;
    address private _hookTarget;
    bytes private _hookCall;
    /// What the call of the last hook came to.
    bool public hookSucceeded;
    bytes public hookAnswer;

    function setMood(Mood next) external {
        mood = next;
    }

    /// From now on every movement first makes this call.
    function setHook(address target, bytes calldata call_) external {
        mood = Mood.HOOK;
        (_hookTarget, _hookCall) = (target, call_);
    }

    function mint(address account, uint256 amount) external {
        _balances[account] += amount;
    }

    function approve(address spender, uint256 amount) external {
        _approve(msg.sender, spender, amount);
        _answer();
    }

    /// For hooks: the token itself deposits as well.
    function approveOwn(address spender, uint256 amount) external {
        _approve(address(this), spender, amount);
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
        _answer();
    }

    function transferFrom(address from, address to, uint256 amount) external {
        if (allowance[from][msg.sender] < amount) revert("not allowed");
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        _answer();
    }

    function balanceOf(address account) external view returns (uint256) {
        if (mood == Mood.MUTE) revert("no balances");
        if (mood == Mood.LIE) return gasleft() << 200;
        return _balances[account];
    }

    /// As tokens do that ask for zero in between.
    function _approve(address account, address spender, uint256 amount) private {
        if (amount != 0 && allowance[account][spender] != 0) revert("approve zero first");
        allowance[account][spender] = amount;
    }

    function _move(address from, address to, uint256 amount) private {
        if (mood == Mood.REVERT) revert ChannelSettled(0);
        if (mood == Mood.KEEP) return;
        if (mood == Mood.HOOK && _hookTarget != address(0)) {
            (address target, bytes memory call_) = (_hookTarget, _hookCall);
            _hookTarget = address(0);
            (hookSucceeded, hookAnswer) = target.call(call_);
        }
        if (_balances[from] < amount) revert("too little");
        _balances[from] -= amount;
        _balances[to] += mood == Mood.FEE ? amount - amount / 10 : amount;
    }

    /// Ends the call with the answer of the mood.
    function _answer() private view {
        uint256 size = mood == Mood.SILENT ? 0 : mood == Mood.FLOOD ? 100000 : 32;
        bool value = mood != Mood.REFUSE && mood != Mood.FLOOD;
        assembly ("memory-safe") {
            mstore(0, value)
            return(0, size)
        }
    }
}
