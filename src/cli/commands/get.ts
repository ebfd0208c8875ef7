// lockstep get: objects of a kind with their live facts.
import type { ObjectStatus } from '../../api/types.ts';
import type { Define } from '../context.ts';
import { ClientError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { parseKind } from '../kind-words.ts';
import type { Cell } from '../output.ts';
import { printTombstones } from '../tombstone-table.ts';
import { readyCell, reasonOf } from '../status-table.ts';

/** Shown first, in this order; what else a kind tells follows. */
const FIRST = ['state', 'addresses', 'bridge', 'driver', 'type', 'image', 'fingerprint'];
const MAX_DETAILS = 6;

export const define: Define = (command, run) => {
  command
    .argument('<kind>', 'instance, pool, network, image, profile, volume ...; or tombstones')
    .argument('[name]', 'only this one')
    .action((word: string, name: string | undefined) =>
      run(async ({ client, output, project }) => {
        if (/^tombstones?$/i.test(word)) {
          const tombstones = (await client.tombstones()).filter((one) => name === undefined || one.ref.name === name);
          if (await output.data(tombstones)) return EXIT.done;
          if (tombstones.length === 0) output.note('There is no tombstone.');
          else printTombstones(tombstones, output, Date.now());
          return EXIT.done;
        }
        const kind = parseKind(word);
        const all = await client.objects({ kind, ...(project === undefined ? {} : { project }) });
        const objects = name === undefined ? all : all.filter((one) => one.ref.name === name);
        const [first] = objects;
        if (name !== undefined && first === undefined) {
          throw new ClientError(`There is no ${kind} "${name}".`, { hint: `See "lockstep get ${word}" for what there is.` });
        }
        if (await output.data(name !== undefined && objects.length === 1 ? first : objects)) return EXIT.done;
        if (objects.length === 0) {
          output.note(`There is no ${kind}.`);
          return EXIT.done;
        }
        printTable(objects, output);
        return EXIT.done;
      }),
    );
};

function printTable(
  objects: readonly ObjectStatus[],
  output: { table(heading: readonly string[], rows: readonly (readonly Cell[])[]): void },
): void {
  const keys = detailKeys(objects);
  const projects = new Set(objects.map((one) => one.ref.project)).size > 1;
  const parents = objects.some((one) => one.ref.parent !== '-');
  const heading = [
    'NAME',
    ...(projects ? ['PROJECT'] : []),
    ...(parents ? ['PARENT'] : []),
    'READY',
    'STATUS',
    ...keys.map((key) => key.toUpperCase()),
    'SOURCE',
  ];
  const rows = objects.map((one): Cell[] => [
    { text: one.ref.name },
    ...(projects ? [{ text: one.ref.project }] : []),
    ...(parents ? [{ text: one.ref.parent }] : []),
    readyCell(one),
    { text: reasonOf(one) },
    ...keys.map((key) => ({ text: detailText(one.details[key]) })),
    { text: one.source },
  ]);
  output.table(heading, rows);
}

function detailKeys(objects: readonly ObjectStatus[]): string[] {
  const all = new Set(objects.flatMap((one) => Object.keys(one.details)));
  const first = FIRST.filter((key) => all.has(key));
  return [...first, ...[...all].filter((key) => !FIRST.includes(key))].slice(0, MAX_DETAILS);
}

export function detailText(value: ObjectStatus['details'][string] | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'object') return value.join(' ');
  return String(value);
}
