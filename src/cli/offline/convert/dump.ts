// `lxd init --dump` holds all objects of a server in one document: taken apart into one document for each, and put together again. Pure.
import { type DumpAside, mapIn } from './aside.ts';
import { isPlainMap, type Plain, type PlainMap } from './plain-yaml.ts';
import { DUMP_LISTS, type ObjectShape } from './shapes.ts';

export interface DumpPart {
  readonly shape: ObjectShape;
  readonly document: PlainMap;
}

const DEFAULT_PROJECT = 'default';

/** The objects, and what is left of the dump without them. */
export function takeDumpApart(dump: PlainMap): { readonly parts: readonly DumpPart[]; readonly aside: DumpAside } {
  const parts: DumpPart[] = [];
  const fields: Record<string, Plain> = {};
  let project: DumpAside['project'];
  for (const [key, value] of Object.entries(dump)) {
    // Lists of anything but objects are no lists of ours.
    if (!Object.hasOwn(DUMP_LISTS, key) || !Array.isArray(value) || !value.every((item: Plain) => isPlainMap(item))) fields[key] = value;
  }
  for (const [key, shape] of Object.entries(DUMP_LISTS)) {
    const list = Object.hasOwn(dump, key) && !Object.hasOwn(fields, key) ? (dump[key] as readonly PlainMap[]) : [];
    for (const [at, document] of list.entries()) {
      // Every server has it, and it has no manifest.
      if (shape === 'project' && document['name'] === DEFAULT_PROJECT) project = { at, document };
      else parts.push({ shape, document });
    }
  }
  return { parts, aside: { keys: Object.keys(dump), fields, ...(project === undefined ? {} : { project }) } };
}

/** The dump again. `aside` is what `takeDumpApart` left of it. */
export function joinDump(parts: readonly DumpPart[], aside: PlainMap): PlainMap {
  const keys = Array.isArray(aside['keys']) ? (aside['keys'] as readonly Plain[]).filter((key) => typeof key === 'string') : [];
  const fields = mapIn(aside, 'fields');
  const lists = new Map<string, Plain[]>();
  for (const [key, shape] of Object.entries(DUMP_LISTS)) {
    const list: Plain[] = parts.filter((part) => part.shape === shape).map(({ document }) => document);
    const { at, document } = mapIn(aside, 'project');
    if (shape === 'project' && document !== undefined) list.splice(typeof at === 'number' ? at : 0, 0, document);
    lists.set(key, list);
  }
  const dump: Record<string, Plain> = {};
  for (const key of new Set([...keys, ...Object.keys(fields)])) {
    const value = Object.hasOwn(fields, key) ? fields[key] : lists.get(key);
    if (value !== undefined) dump[key] = value;
  }
  for (const [key, list] of lists) if (list.length > 0 && !Object.hasOwn(dump, key)) dump[key] = list;
  return dump;
}
