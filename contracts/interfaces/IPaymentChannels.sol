// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ChannelId, ChannelIdentity, Side} from "../types/ChannelIdentity.sol";
import {Exit, Outcome, PaymentId, Pending, Settlement} from "../types/Exit.sol";
import {ExitPending, StaleTerms} from "../types/StaleExit.sol";

/// @title Payment channels whose parties are enclaves
/// @notice Holds deposits, follows what an enclave of a channel signed, and keeps one permanent outcome per payment, so
/// that a payment over many channels is applied on all of them or on none, in whatever order they are settled
/// (PROTOCOL.md sections 3, 5, 6 and 9). Whoever may settle may do so at any time, and wins nothing by haste. The one
/// deadline is the challenge period of a stale exit, only on channels whose identity has one.
///
/// All amounts are base units of the channel's token: the native coin or an ERC-20 token. Tokens that return nothing
/// from their transfers are fine, and of those that take a fee on transfer, what arrived is credited. Tokens that
/// change balances by themselves (rebasing) are excluded: they are not refused, since nobody can tell, but what they
/// take away is missing for whoever withdraws last, and what they add belongs to nobody. A hostile token can harm only
/// those who hold channels in it. Coins or tokens that are sent here by other ways than `open` and `deposit` belong to
/// nobody.
///
/// Who calls never matters, only who signed, but for `withdraw` to another address.
interface IPaymentChannels {
    /// The channel `id` exists from now on.
    event Opened(
        ChannelId indexed id,
        address indexed partyA,
        address indexed partyB,
        address payoutA,
        address payoutB,
        address token,
        uint32 challengePeriod,
        bytes16 salt
    );
    /// All deposits of `side` of channel `id` now add up to `total`.
    event Deposited(ChannelId indexed id, Side side, uint128 total);
    /// The channel `id` has ended, its payout addresses were credited.
    event Settled(ChannelId indexed id, uint128 creditA, uint128 creditB, Settlement how);
    /// The payment has ended on every channel that is not settled yet.
    event OutcomeRecorded(PaymentId indexed payment, Outcome outcome);
    /// A stale exit of the enclave of `side` stands on channel `id`. Anyone may finalise it at block time `finalAt` or
    /// later, with exactly these terms, unless the channel was settled before.
    event StaleExitSubmitted(
        ChannelId indexed id, Side side, uint128 sentA, uint128 sentB, uint64 finalAt, ExitPending[] pending
    );
    /// The whole credit of `account` left the contract, to `to`.
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);

    /// The parties of a channel must differ and none of its four addresses may be zero.
    error InvalidIdentity();
    /// Not a contract that tells its balances as ERC-20 does.
    error UnsupportedToken(address token);
    /// The token did not hand over the deposit: it is not `owner`'s, not allowed, or the token refuses.
    error TokenRefused(address token, address owner, uint256 amount);
    /// The coins sent along are not what belongs to the deposit; none do where the channel holds a token.
    error WrongValue(uint256 amount, uint256 value);
    /// Nothing was deposited, or nothing of it arrived.
    error ZeroDeposit();
    /// The channel would hold more than 2^128 - 1.
    error DepositTooLarge(ChannelId id, uint256 amount);
    error UnknownChannel(ChannelId id);
    /// The channel has ended; its id can never be used again.
    error ChannelSettled(ChannelId id);
    /// Not a well-formed signature by a party of the channel. `signer` is whom it recovers to, if anybody.
    error InvalidSignature(address signer);
    /// A stale exit neither ejects nor settles at once: submit it, and finalise it after the challenge period.
    error StaleExitMustWait(ChannelId id);
    /// Only exits that are marked stale are submitted: use `eject` or `settle`.
    error ExitNotStale(ChannelId id);
    /// The channel's identity has a challenge period of 0: it knows no stale exits.
    error StaleExitsExcluded(ChannelId id);
    /// No stale exit stands on the channel.
    error NoStaleExit(ChannelId id);
    /// The stale exit can be finalised at block time `finalAt` or later.
    error ChallengePeriodRunning(ChannelId id, uint64 finalAt);
    /// These are not the terms of the stale exit that stands.
    error StaleExitMismatch(ChannelId id);
    error TooManyPending(ChannelId id, uint256 count);
    /// `payment` is not greater than the payment before it.
    error PendingNotAscending(PaymentId payment);
    /// A phase is 1 (PRE-UPDATE) or 2 (POST-UPDATE).
    error InvalidPhase(uint8 phase);
    /// `settle` only follows outcomes, and this payment has none: use `eject`, or `record` one first.
    error OutcomeMissing(PaymentId payment);
    error NothingToWithdraw(address token, address account);
    /// Only `account` itself may send its credit elsewhere.
    error NotAccount(address account, address caller);
    /// Coins sent to the zero address would be lost.
    error InvalidReceiver();
    /// The receiver refused the coins.
    error TransferFailed(address to, uint256 amount);

    /// @notice Opens a channel with a deposit; on a channel that is open already it is a deposit, so nobody is hurt by
    /// being overtaken. Open only what both enclaves agreed on: they ignore any other channel.
    /// @param amount deposit, above zero; for the native coin exactly the value sent along; of a token, fetched from
    /// the caller, who has approved it before. What arrives is credited
    function open(ChannelIdentity calldata identity, Side side, uint256 amount) external payable;

    /// @notice Deposits to `side` of an open channel. Anyone may.
    /// @param amount as for `open`
    function deposit(ChannelIdentity calldata identity, Side side, uint256 amount) external payable;

    /// @notice Ends a channel with nothing pending, by an exit with an empty list. To close several channels in one
    /// call, hand the same exits to `settle`.
    function close(ChannelIdentity calldata identity, uint128 sentA, uint128 sentB, bytes calldata signature) external;

    /// @notice Ends channels by exits of one party each. Pending payments follow their recorded outcome; where there is
    /// none, the one of the payment's phase is written. Channels that are settled already are skipped, whatever their
    /// exit says.
    function eject(Exit[] calldata exits) external;

    /// @notice As `eject`, but only follows outcomes and writes none. Reverts with the first payment that has none.
    function settle(Exit[] calldata exits) external;

    /// @notice Has stale exits wait for the challenge period of their channels, from now (PROTOCOL.md section 6).
    /// Nothing is settled and no outcome written. Signature and proofs are verified now and kept as a hash. The first
    /// stale exit on a channel stands, from whichever side: another one is skipped, as are channels that are settled
    /// already. Until it is finalised, an ordinary exit by either party (`close`, `eject`, `settle`) ends the channel
    /// as if it were not there.
    function submitStale(Exit[] calldata exits) external;

    /// @notice Ends channels by the stale exits that stand on them, after their period. Anyone may. Pending payments
    /// follow the outcomes recorded by now and, unrecorded, count against the stale side: what it would pay is paid,
    /// what it would receive is not. Channels that are settled already are skipped.
    function finalizeStale(StaleTerms[] calldata exits) external;

    /// @notice Writes the outcome of a payment without leaving a channel. Nothing happens where one exists. The state
    /// of the channel does not matter, only that the payment has a transfer over it and a party of it signed.
    /// @param pending its phase is the outcome that is written: 1 VOID, 2 APPLIED
    /// @param signature EIP-712 signature of `Record` by a party of the channel
    function record(ChannelIdentity calldata identity, Pending calldata pending, bytes calldata signature) external;

    /// @notice Pays out the whole credit of `account`. Anyone may have it sent to `account` itself (`to == account`),
    /// `account` may have it sent anywhere.
    function withdraw(address token, address account, address to) external;

    /// @return outcome of the payment, NONE where none was recorded
    function outcomeOf(PaymentId payment) external view returns (Outcome outcome);

    /// @return status 0 unknown, 1 open, 2 settled
    /// @return depositA all deposits of side A; 0 unless open
    /// @return depositB all deposits of side B; 0 unless open
    function channelOf(ChannelId id) external view returns (uint8 status, uint128 depositA, uint128 depositB);

    /// @return base units that `account` can withdraw
    function creditOf(address token, address account) external view returns (uint256);

    /// @notice The stale exit that stands on a channel.
    /// @return finalAt block time from which it can be finalised; 0: none stands, or the channel is settled
    /// @return side whose enclave signed it
    /// @return digest EIP-712 digest of the exit
    function staleExitOf(ChannelId id) external view returns (uint64 finalAt, Side side, bytes32 digest);

    /// @return EIP-712 domain separator, fixed at deployment
    function domainSeparator() external view returns (bytes32);
}
