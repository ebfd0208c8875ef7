// Network: a bridge on this host with its address, NAT, firewall rules, DHCP and DNS.
import { applyWith } from '../changes.ts';
import type { Kind, Observed, Readiness, Recorded } from '../kind.ts';
import { allocate } from './allocate.ts';
import { appliers } from './apply.ts';
import { describe, type NetworkChange } from './changes.ts';
import { diff } from './diff.ts';
import { type NetworkActual, observe } from './observe.ts';
import { resolve } from './resolve.ts';
import { bridgeOf, type NetworkSpec } from './spec.ts';

export type { NetworkActual } from './observe.ts';
export type { NetworkSpec } from './spec.ts';

export const networkKind: Kind<NetworkSpec, NetworkActual, NetworkChange> = {
  name: 'Network',
  resolve,
  needs: () => [],
  allocate,
  observe,
  diff,
  holds,
  apply: (host, ref, change, run) => applyWith(appliers, host, ref, change, run),
  describe,
  waitsForNeeds: (change) => change.do === 'create',
  unasked: (change) => (change.do === 'startDhcp' && change.because === 'repair' ? 'ended' : undefined),
  condition,
  details,
  redact: (spec) => spec,
};

function holds(change: NetworkChange, now: Observed<NetworkActual>): boolean {
  if (now.is === 'unknown') return false;
  const actual = now.is === 'present' ? now.actual : undefined;
  switch (change.do) {
    case 'create':
      return actual?.link === undefined || !actual.ours;
    case 'delete':
      return actual !== undefined;
    case 'clearFirewall':
      return actual?.firewall !== undefined;
    case 'stopDhcp':
    case 'rewriteHosts':
      return actual?.dhcp !== undefined;
    case 'enableForwarding':
      return actual?.forwarding !== true;
    default:
      return actual?.link !== undefined && actual.ours;
  }
}

function condition(_spec: NetworkSpec, actual: NetworkActual, recorded: Recorded): Readiness {
  const [conflict] = actual.conflicts;
  // The network itself is as declared, and guests reach each other: instances that need it may start.
  if (conflict !== undefined) return { ready: true, reason: 'FirewallConflict', message: `${conflict.message} ${conflict.hint}` };
  return { ready: true, reason: 'Active', message: `Bridge "${bridgeOf(recorded) ?? ''}" is up.` };
}

function details(actual: NetworkActual, recorded: Recorded): Readonly<Record<string, string | number | boolean | readonly string[]>> {
  const { link, dhcp } = actual;
  return {
    bridge: bridgeOf(recorded) ?? '',
    ...(link === undefined
      ? {}
      : { addresses: link.addresses, hwaddr: link.hwaddr, mtu: link.mtu, state: link.up ? 'up' : 'down', ports: actual.ports.length }),
    dhcp: dhcp?.running === true,
    leases: dhcp?.leases.length ?? 0,
    ...(actual.conflicts.length === 0 ? {} : { conflicts: actual.conflicts.map(({ message, hint }) => `${message} ${hint}`) }),
  };
}
