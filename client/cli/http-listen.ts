/** Starting and stopping HTTP servers, with errors that say what to do. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf, Failure, reasonOf } from './failure.ts';

/** @returns the port @throws Failure PORT_IN_USE, CANNOT_LISTEN */
export function listen(server: Server, where: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const inUse = codeOf(error) === 'EADDRINUSE';
      reject(
        new Failure(
          inUse ? 'PORT_IN_USE' : 'CANNOT_LISTEN',
          inUse
            ? `Port ${where.port} is taken by another program. Stop that one, or choose another port (0: any free one).`
            : `Cannot listen on ${where.host}:${where.port}: ${reasonOf(error)}.`,
          { cause: error },
        ),
      );
    });
    server.listen(where.port, where.host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Takes no more, and cuts off what is still open. */
export function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
