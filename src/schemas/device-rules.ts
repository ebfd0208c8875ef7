// Which options of a device must, or must not, stand together. Pure; called when each option by itself is right.
import type { FieldPath } from './document.ts';
import type { Finding } from './finding.ts';
import type { ConfigMap } from './merge.ts';

type Rule = (name: string, options: ConfigMap) => readonly Omit<Finding, 'rule'>[];

const rules: Readonly<Record<string, Rule>> = { disk: diskRule, nic: nicRule, 'unix-char': unixRule };

export function deviceRuleFindings(name: string, type: string, options: ConfigMap, path: FieldPath): Finding[] {
  const rule = Object.hasOwn(rules, type) ? rules[type] : undefined;
  return (rule?.(name, options) ?? []).map((finding) => ({ ...finding, path: [...path, ...finding.path], rule: 'device' }));
}

/** A volume of a pool that is not the root disk: its `source` is a name, not a path. */
export function isVolumeDisk(type: string, { path, pool }: ConfigMap): boolean {
  return type === 'disk' && pool !== undefined && path !== '/';
}

function diskRule(name: string, options: ConfigMap): readonly Omit<Finding, 'rule'>[] {
  const { path, source, pool, size } = options;
  if (path === undefined) return [lacks(name, 'path', 'Where it is mounted in the instance, such as /srv/data; / makes it the root disk.')];
  if (path === '/') {
    if (source !== undefined)
      return [{ path: ['source'], inKey: true, message: `The root disk "${name}" takes no "source".`, hint: 'Name its "pool".' }];
    if (pool === undefined) return [lacks(name, 'pool', 'The StoragePool the root file system lives in.')];
    const readonly = options['readonly'];
    if (readonly !== undefined)
      return [{ path: ['readonly'], inKey: true, message: `The root disk "${name}" cannot be read-only.`, hint: 'Remove the key.' }];
    return [];
  }
  if (isVolumeDisk('disk', options)) {
    return [
      {
        path: ['pool'],
        inKey: true,
        message: `Attaching a volume of a pool (disk "${name}") is not supported yet.`,
        hint: 'Use a path of the host as "source".',
      },
    ];
  }
  if (source === undefined) return [lacks(name, 'source', 'A path of the host such as /srv/data, or tmpfs:')];
  if (size !== undefined && source !== 'tmpfs:') {
    return [
      {
        path: ['size'],
        inKey: true,
        message: `The disk "${name}" is a path of the host, which has no "size" of its own.`,
        hint: 'Remove the key.',
      },
    ];
  }
  return [];
}

function nicRule(name: string, options: ConfigMap): readonly Omit<Finding, 'rule'>[] {
  return options['network'] === undefined ? [lacks(name, 'network', 'The declared Network it is connected to.')] : [];
}

function unixRule(name: string, options: ConfigMap): readonly Omit<Finding, 'rule'>[] {
  const { source, path, major, minor } = options;
  const where = path ?? source;
  if (where === undefined) return [lacks(name, 'source', 'The device on the host, such as /dev/net/tun.')];
  if ((major === undefined) !== (minor === undefined)) {
    const missing = major === undefined ? 'major' : 'minor';
    return [lacks(name, missing, 'Major and minor number are given together.')];
  }
  if (!where.startsWith('/dev/')) {
    const key = path === undefined ? 'source' : 'path';
    return [
      { path: [key], message: `The device "${name}" must appear below /dev in the instance.`, hint: 'Set "path", such as /dev/net/tun.' },
    ];
  }
  return [];
}

function lacks(name: string, key: string, hint: string): Omit<Finding, 'rule'> {
  return { path: [], inKey: true, message: `The device "${name}" lacks the key "${key}".`, hint };
}
