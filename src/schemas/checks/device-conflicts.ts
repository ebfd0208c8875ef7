// Devices of one instance that want the same thing: a mount point, a device node, an interface name, a network.
import { type CheckFinding, deviceFinding, type DocumentCheck, type ExpandedDevice } from './context.ts';

interface Claim {
  /** What only one device of an instance may have. */
  readonly what: string;
  readonly key: string;
}

export const deviceConflicts: DocumentCheck = {
  of: ['Instance'],
  check: (instance, context) => {
    const findings: CheckFinding[] = [];
    const owners = new Map<string, ExpandedDevice>();
    for (const device of context.devicesOf(instance)) {
      for (const { what, key } of claimsOf(device)) {
        const owner = owners.get(what);
        if (owner === undefined) {
          owners.set(what, device);
          continue;
        }
        const message = `The devices "${owner.name}" and "${device.name}" of the instance "${instance.ref.name}" both have ${what}.`;
        findings.push(deviceFinding(device, key in device.options ? key : undefined, { rule: 'device-conflict', message }));
      }
    }
    return findings;
  },
};

function claimsOf({ name, options }: ExpandedDevice): readonly Claim[] {
  const { type, path, source, network } = options;
  if (type === 'disk' && path !== undefined && path !== '/') return [{ what: `the path ${path}`, key: 'path' }];
  if (type === 'unix-char') return [{ what: `the path ${path ?? source}`, key: path === undefined ? 'source' : 'path' }];
  if (type !== 'nic') return [];
  return [
    { what: `the interface name ${options['name'] ?? name}`, key: 'name' },
    // Both would be known to the network's DNS by the instance's name; LXD refuses this too.
    { what: `the network "${network}"`, key: 'network' },
  ];
}
