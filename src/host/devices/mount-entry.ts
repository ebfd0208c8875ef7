// One line of `lxc.mount.entry`, which liblxc reads with getmntent(3).
import type { ConfigItem } from './device-spec.ts';

/** getmntent(3) splits at blanks and decodes \040, \011, \012 and \134. Newlines are refused before anything gets here. */
export function escapeMountField(text: string): string {
  return text.replaceAll('\\', '\\134').replaceAll(' ', '\\040').replaceAll('\t', '\\011');
}

export interface MountEntry {
  readonly source: string;
  /** In the container, absolute. */
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

export function mountEntry({ source, target, type, options }: MountEntry): ConfigItem {
  // A relative target is looked up below the container's root without following its symbolic links (lxc.container.conf(5)).
  const relative = target.replace(/^\/+/, '');
  return ['lxc.mount.entry', `${escapeMountField(source)} ${escapeMountField(relative)} ${type} ${options.join(',')} 0 0`];
}
