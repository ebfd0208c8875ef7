// Which entries of an archive may stand beside each other. Pure. An honest archive of a tree never names the same link twice, passes
// through a link, or carries data where there is none to carry, so all that is refused.
import { type Entry, quoteName, refused } from './entry.ts';

export interface Layout {
  readonly symlinks: Set<string>;
  readonly files: Set<string>;
}

export function startLayout(): Layout {
  return { symlinks: new Set(), files: new Set() };
}

const MAX_PATH_BYTES = 4096;
const WITH_DATA = new Set(['0', 'S']);

/** The entry's path without `./` and doubled slashes, `` for the root. Adds it to the layout. */
export function checkEntry(layout: Layout, entry: Entry): string {
  const path = normalize(entry.name, 'name');
  const shown = quoteName(path);
  if (path === '' && entry.type !== '5') throw refused('an entry has no name');
  if (!WITH_DATA.has(entry.type) && entry.storedBytes !== 0) throw refused(`${shown} carries data although it is not a file`);
  const through = firstLinkOn(layout, path);
  if (through !== undefined) throw refused(`${shown} passes through the symbolic link ${quoteName(through)}`);
  if (layout.symlinks.has(path)) throw refused(`${shown} replaces a symbolic link of that name`);
  switch (entry.type) {
    case '0':
    case 'S':
      layout.files.add(path);
      break;
    case '1':
      checkHardlink(layout, path, entry.link);
      break;
    case '2':
      if (layout.files.has(path)) throw refused(`${shown} is there twice`);
      if (entry.link === '' || entry.link.includes('\0')) throw refused(`the symbolic link ${shown} leads nowhere`);
      layout.symlinks.add(path);
      break;
    case '3':
    case '4':
      // Old images carry a populated /dev. It is left out when unpacking; containers get a /dev of their own.
      if (!/^(?:rootfs\/)?dev\//.test(path)) throw refused(`${shown} is a device node`);
      break;
    case '5':
    case '6':
      break;
    default:
      throw refused(`${shown} is of the unknown type ${JSON.stringify(entry.type)}`);
  }
  return path;
}

function checkHardlink(layout: Layout, path: string, link: string): void {
  const target = normalize(link, 'link target');
  const shown = quoteName(path);
  // A link of a link's own is a second name for that symbolic link.
  if (layout.symlinks.has(target)) layout.symlinks.add(path);
  else if (layout.files.has(target)) layout.files.add(path);
  else throw refused(`${shown} is a hard link to something that does not come before it`);
}

function normalize(name: string, what: string): string {
  const shown = quoteName(name);
  if (name.includes('\0') || Buffer.byteLength(name) > MAX_PATH_BYTES)
    throw refused(`the ${what} ${shown} is too long or holds a NUL character`);
  if (name.startsWith('/')) throw refused(`the ${what} ${shown} is absolute`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(`the ${what} ${shown} leaves the archive with ".."`);
  return parts.join('/');
}

/** The first directory on the way to the path that the archive made a symbolic link. */
function firstLinkOn(layout: Layout, path: string): string | undefined {
  if (layout.symlinks.size === 0) return undefined;
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const parent = path.slice(0, at);
    if (layout.symlinks.has(parent)) return parent;
  }
  return undefined;
}
