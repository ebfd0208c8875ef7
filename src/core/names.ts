// Every name Lockstep gives to something on the host, in one pure file: links, tables, cgroups, LXC names.
// A name can be told to be ours (`isOurs...`) and is short enough for the kernel (IFNAMSIZ allows 15 characters).
import { AppError } from './errors.ts';
import { hashBase32 } from './hash.ts';
import { DEFAULT_PROJECT, type ResourceRef } from './ref.ts';

export const MAX_LINK_NAME = 15;

const PREFIX = /^[a-z][a-z0-9]{0,3}$/;
const HOST_LABEL = /^[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
const OBJECT_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/;

export function checkPrefix(prefix: string): string {
  if (!PREFIX.test(prefix)) {
    throw new AppError(
      'NAME_INVALID',
      { prefix },
      { message: `The prefix "${prefix}" must be a lower-case letter and up to three letters or digits.` },
    );
  }
  return prefix;
}

/** Why the name of an instance is refused, or undefined. LXD's rule: a host name label (its API documentation, "instances"). */
export function instanceNameProblem(name: string): string | undefined {
  if (HOST_LABEL.test(name)) return undefined;
  return 'must be 1 to 63 letters, digits or hyphens, starting with a letter and not ending with a hyphen';
}

/** Why the name of any other object is refused, or undefined. */
export function objectNameProblem(name: string): string | undefined {
  if (OBJECT_NAME.test(name) && !name.includes('..')) return undefined;
  return 'must be 1 to 63 letters, digits, ".", "_" or "-", starting and ending with a letter or digit, without ".."';
}

/** LXC name: the instance's in project `default`, else `PROJECT_NAME`, as LXD does it. */
export function lxcName(ref: Pick<ResourceRef, 'project' | 'name'>): string {
  return ref.project === DEFAULT_PROJECT ? ref.name : `${ref.project}_${ref.name}`;
}

/** The project and name behind an LXC name. Instance names hold no "_", so the last one separates. */
export function parseLxcName(name: string): { project: string; name: string } {
  const at = name.lastIndexOf('_');
  return at < 0 ? { project: DEFAULT_PROJECT, name } : { project: name.slice(0, at), name: name.slice(at + 1) };
}

/** `PREFIX-NETWORK`, or `PREFIX-` and a hash when that is over 15 characters or not in project `default`. */
export function bridgeName(prefix: string, ref: Pick<ResourceRef, 'project' | 'name'>): string {
  const plain = `${prefix}-${ref.name}`;
  if (ref.project === DEFAULT_PROJECT && plain.length <= MAX_LINK_NAME) return plain;
  const room = MAX_LINK_NAME - prefix.length - 1;
  return `${prefix}-${hashBase32(`${ref.project}/${ref.name}`, room)}`;
}

/** `PREFIXv` and 9 base32 characters of hash(uid, device): the host side of an instance's NIC. */
export function vethName(prefix: string, uid: string, device: string): string {
  return `${prefix}v${hashBase32(`${uid}/${device}`, 9)}`;
}

export function isOurVeth(prefix: string, link: string): boolean {
  return link.length === prefix.length + 10 && link.startsWith(`${prefix}v`) && /^[a-z2-7]{9}$/.test(link.slice(prefix.length + 1));
}

export function isOurBridge(prefix: string, link: string): boolean {
  return link.startsWith(`${prefix}-`) && link.length > prefix.length + 1;
}

/** Our table in nftables' `inet` family. */
export function nftTable(prefix: string): string {
  return `lockstep_${prefix}`;
}

/** The cgroup directory, below each hierarchy's root, that holds everything of one instance. */
export function cgroupDir(prefix: string, name: string): string {
  return `${cgroupParent(prefix)}/${name}`;
}

export function cgroupParent(prefix: string): string {
  return `${prefix}.lockstep`;
}
