// Manifests for host tests: a small world of its own. The subnet follows from the prefix, so that test runs side by side do not collide.
import { createHash } from 'node:crypto';

export function subnetOf(prefix: string): string {
  const [a = 0, b = 0] = createHash('sha256').update(prefix).digest();
  return `10.${200 + (a % 50)}.${b}`;
}

export function foundation(prefix: string, pool = 'driver: btrfs, config: { size: 4GiB }'): string {
  return [
    document('StoragePool', 'fast', `{ ${pool} }`),
    document('Network', 'lan', `{ type: bridge, config: { ipv4.address: ${subnetOf(prefix)}.1/24, ipv4.nat: "true", dns.domain: test } }`),
    document('Image', 'busybox', '{ source: { build: { type: busybox } } }'),
    document('Profile', 'default', '{ devices: { root: { type: disk, path: /, pool: fast }, eth0: { type: nic, network: lan } } }'),
  ].join('');
}

export function instance(name: string, spec = ''): string {
  return document('Instance', name, `{ image: busybox${spec === '' ? '' : `, ${spec}`} }`);
}

export function instances(count: number, base = 'c'): string {
  return Array.from({ length: count }, (_, index) => instance(`${base}${index}`)).join('');
}

function document(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;
}
