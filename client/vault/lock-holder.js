/** Test program: holds the lock of a data directory as another terminal would, until it is killed. */

import sqlite3 from 'sqlite3';

const database = new sqlite3.Database(process.argv[2], (failed) => {
  if (failed) throw failed;
  database.exec('begin exclusive', (refused) => {
    if (refused) throw refused;
    process.send('held');
    setInterval(() => undefined, 60_000);
  });
});
