// lockstep host-shutdown: stop all instances because the host goes down. Called by packaging/systemd/lockstep-shutdown.service.
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { clean } from '../text.ts';

interface HostShutdownOptions {
  readonly cancel?: boolean;
}

export const define: Define = (command, run) => {
  command.option('--cancel', 'the host stays up after all: start again what was stopped').action((options: HostShutdownOptions) =>
    run(async ({ client, output }) => {
      if (options.cancel === true) {
        await client.cancelHostShutdown();
        if (!(await output.data({}))) output.done('Instances are kept as they are declared again.');
        return EXIT.done;
      }
      const result = await client.hostShutdown();
      const { instances } = result;
      if (!(await output.data(result))) {
        const heading = ['INSTANCE', 'PRIORITY', 'OUTCOME', 'SECONDS', 'MESSAGE'];
        const rows = instances.map(({ name, priority, outcome, durationMs, error }) => [
          { text: clean(name) },
          { text: String(priority) },
          { text: outcome },
          { text: (durationMs / 1000).toFixed(1) },
          { text: clean(error ?? '') },
        ]);
        if (rows.length > 0 && !output.quiet) output.table(heading, rows);
        output.done('Nothing runs any more, and nothing is started before the host has booted again.');
      }
      return instances.some(({ outcome }) => outcome === 'failed') ? EXIT.error : EXIT.done;
    }),
  );
};
