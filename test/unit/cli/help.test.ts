import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { examplesText, HELP_EXAMPLES } from '../../../src/cli/help-examples.ts';

const GLOBAL = new Set(['-o', '--output', '--project', '--no-color', '-q', '--quiet', '--socket']);

/** Flags of a command and of the commands below it. */
function flagsOf(command: Command): string[] {
  const own = command.options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
  return [...own, ...command.commands.flatMap((each) => flagsOf(each))];
}

describe('help', () => {
  for (const entry of COMMANDS) {
    it(`of ${entry.name} has examples with options that it has`, async () => {
      const command = new Command(entry.name);
      (await entry.load()).define(command, async () => undefined);
      const flags = new Set([...flagsOf(command), ...GLOBAL]);
      assert.ok(examplesText(entry.name)?.includes(`lockstep ${entry.name}`), 'it has examples (src/cli/help-examples.ts)');
      for (const [line] of HELP_EXAMPLES[entry.name]!) {
        const own = /lockstep [^|&<>]*/.exec(line)![0].split(' -- ')[0]!;
        if (!own.startsWith(`lockstep ${entry.name}`)) continue;
        for (const word of own.split(/\s+/)) if (/^--?[a-z]/.test(word)) assert.ok(flags.has(word), `${line}: ${word}`);
      }
    });
  }

  it('has no examples of commands that are not there', () => {
    const names = new Set(COMMANDS.map(({ name }) => name));
    assert.deepEqual(
      Object.keys(HELP_EXAMPLES).filter((name) => !names.has(name)),
      [],
    );
  });
});
