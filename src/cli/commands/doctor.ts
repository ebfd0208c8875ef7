// lockstep doctor: what this host can do and what is missing, with the command that mends it. Offline.
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { Cell } from '../output.ts';
import { plural } from '../text.ts';

export const define: Define = (command, run) => {
  command
    .option('--state-dir <path>', 'where pools and instances are to lie', '/var/lib/lockstep')
    .addHelpText('after', '\nExit codes: 0 everything needed is there, 1 something needed is missing. Changes nothing, needs no daemon.')
    .action((options: { readonly stateDir: string }) =>
      run(async ({ output }) => {
        const { doctor } = await import('../../host/doctor.ts');
        const checks = await doctor(options.stateDir);
        const missing = checks.filter((check) => !check.ok);
        const needed = missing.filter((check) => check.required);
        const exitCode = needed.length === 0 ? EXIT.done : EXIT.error;
        if (await output.data({ ok: needed.length === 0, checks })) return exitCode;
        const rows = checks.map(({ name, ok, required, detail }): Cell[] => [
          ok ? { text: 'ok', style: 'green' } : required ? { text: 'missing', style: 'red' } : { text: 'optional', style: 'yellow' },
          { text: name },
          { text: detail },
        ]);
        output.table(['', 'CHECK', 'FOUND'], rows);
        for (const { name, hint } of missing) if (hint !== undefined) output.note(`${name}: ${hint}`);
        if (needed.length > 0)
          output.error(`${plural(needed.length, 'thing')} that Lockstep needs ${needed.length === 1 ? 'is' : 'are'} missing.`);
        return exitCode;
      }),
    );
};
