// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {ChannelIdentity, Side} from "../types/ChannelIdentity.sol";

/// @notice Whether an enclave of the channel speaks. Either party's signature is as good as the other's.
library PartySignature {
    /// @dev Reverts with InvalidSignature unless `signature` is one of `digest` by a party of the channel: 65 bytes,
    /// low s, v 27 or 28.
    /// @return side whose party signed
    function verify(ChannelIdentity calldata identity, bytes32 digest, bytes calldata signature)
        internal
        pure
        returns (Side side)
    {
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError) {
            if (signer == identity.partyA) return Side.A;
            if (signer == identity.partyB) return Side.B;
        }
        revert IPaymentChannels.InvalidSignature(signer);
    }
}
