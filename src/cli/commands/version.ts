// lockstep version: of the client, and of the daemon when one answers.
import { clientVersion } from '../client-version.ts';
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

export const define: Define = (command, run) => {
  command.action(() =>
    run(async ({ client, output }) => {
      const daemon = await client
        .status()
        .then((status) => status.version)
        .catch(() => undefined);
      const versions = { client: clientVersion(), node: process.versions.node, ...(daemon === undefined ? {} : { daemon }) };
      if (await output.data(versions)) return EXIT.done;
      for (const [name, version] of Object.entries(versions)) output.line(`${name} ${version}`);
      return EXIT.done;
    }),
  );
};
