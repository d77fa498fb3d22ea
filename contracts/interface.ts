/** The one place where ethers learns the contract's ABI. */

import { Interface } from 'ethers';
import { paymentChannelsAbi } from './generated/PaymentChannels.ts';

export const contractInterface = new Interface(paymentChannelsAbi);
