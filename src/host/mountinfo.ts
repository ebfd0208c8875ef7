// Reads /proc/PID/mountinfo (proc(5)).

export interface MountEntry {
  readonly mountPoint: string;
  /** Path within the file system that is mounted there. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
  /** In a peer group: mounts below it are passed on to other namespaces. */
  readonly shared: boolean;
}

/** In the order in which they were mounted: of several on one path the last is on top. */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE SOURCE SUPEROPTIONS
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [root, mountPoint] = [fields[3], fields[4]];
    const [type, source] = [fields[separator + 1], fields[separator + 2]];
    if (separator < 0 || root === undefined || mountPoint === undefined || type === undefined || source === undefined) continue;
    const shared = fields.slice(6, separator).some((tag) => tag.startsWith('shared:'));
    entries.push({ mountPoint: unescape(mountPoint), root: unescape(root), type, source: unescape(source), shared });
  }
  return entries;
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
