// lockstep version: of the client, and of the daemon when one answers.
import { readFileSync } from 'node:fs';
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

function clientVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
