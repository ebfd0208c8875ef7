// Which containers have a monitor: the names of its abstract command sockets. liblxc binds `@LXCPATH/NAME/command`; a name that does not
// fit in 107 bytes is replaced by `lxc/HASH/command` with the FNV-1a hash of `LXCPATH/NAME` (af_unix.c, commands_utils.c).

/** sizeof(sun_path) - 2: what liblxc lets the text and its NUL take. */
const ROOM = 106;

export function commandSocket(lxcpath: string, name: string): string {
  const plain = `${lxcpath}/${name}/command`;
  if (Buffer.byteLength(plain) < ROOM) return plain;
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(`${lxcpath}/${name}`)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return `lxc/${hash.toString(16).padStart(16, '0')}/command`;
}

/** Abstract names somebody listens on, without the leading `@`, from `/proc/net/unix`. */
export function parseListeners(text: string): Set<string> {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    // Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is __SO_ACCEPTCON: the listening end.
    const match = /^[0-9a-f]+: \S+ \S+ (\S+) \S+ \S+ +\d+ @(.*)$/.exec(line);
    if (match && (Number.parseInt(match[1] ?? '0', 16) & 0x10000) !== 0) found.add(match[2] ?? '');
  }
  return found;
}

/** Names with a listening command socket below `lxcpath`, among `known` names (the only ones a hash can be told for) and by the socket's own text. */
export function monitoredNames(lxcpath: string, listeners: ReadonlySet<string>, known: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const before = `${lxcpath}/`;
  for (const listener of listeners) {
    if (!listener.startsWith(before) || !listener.endsWith('/command')) continue;
    const name = listener.slice(before.length, -'/command'.length);
    if (!name.includes('/') && name !== '') found.add(name);
  }
  for (const name of known) {
    if (!found.has(name) && listeners.has(commandSocket(lxcpath, name))) found.add(name);
  }
  return found;
}
