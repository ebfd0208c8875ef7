// Changes of an instance in words, for plan, audit log and events. Never a secret: values of secret keys are not in the fields.
import { basename } from 'node:path';
import type { Described, FieldChange, Verdict } from '../kind.ts';
import { formatSize } from '../../core/units.ts';
import type { InstanceChange, StopReason } from './changes.ts';

export function describe(change: InstanceChange): Described {
  switch (change.do) {
    case 'create':
      return { verdict: CREATE_VERDICTS[change.because], summary: createSummary(change), fields: change.fields };
    case 'undo':
      return { verdict: 'repair', summary: `remove what is half-made in pool "${change.pool}": ${change.because}`, fields: [] };
    case 'configure':
      return { verdict: change.repair ? 'repair' : 'live', summary: configureSummary(change), fields: change.fields };
    case 'setLimits':
      return {
        verdict: change.repair ? 'repair' : 'live',
        summary: change.repair ? 'put its limits back, which were changed from outside' : 'apply limits',
        fields: change.writes.map(({ file, from, to }) => ({ field: file, ...(from === undefined ? {} : { from }), to })),
      };
    case 'replug':
      return {
        verdict: change.because === 'repair' ? 'repair' : 'replug',
        summary: replugSummary(change),
        fields: change.fields,
        // One that comes or goes is not missed meanwhile.
        ...(change.action === 'replug' ? { downtime: `less than 1 s for device "${change.device}" only` } : {}),
      };
    case 'setSize':
      return { verdict: 'live', summary: `set the size of the root disk to ${sizeText(change.to)}`, fields: [sizeField(change)] };
    case 'setDhcpHosts':
      return { verdict: 'live', summary: 'set its static leases', fields: leaseFields(change) };
    case 'start':
      return { verdict: 'power', summary: `start, because ${change.because}`, fields: [] };
    case 'shutdown':
      return {
        verdict: stopVerdict(change.because),
        summary: STOP_SUMMARIES[change.because],
        fields: change.fields,
        ...(change.because === 'state' ? {} : { shutdownLimitMs: change.timeoutMs }),
      };
    case 'rename':
      return { verdict: 'rename', summary: `give its directory and root volume, which are called "${change.from}", its name`, fields: [] };
    case 'buryRoot':
      return { verdict: 'recreate', summary: burySummary(change), fields: change.fields };
    case 'kill':
      return { verdict: 'power', summary: `stop by force: it did not shut down within ${change.afterMs / 1000} s`, fields: [] };
    case 'freeze':
      return { verdict: 'power', summary: 'freeze', fields: [] };
    case 'unfreeze':
      return { verdict: stopVerdict(change.because ?? 'state'), summary: 'unfreeze', fields: [] };
    default:
      return { verdict: 'delete', summary: deleteSummary(change), fields: [] };
  }
}

const CREATE_VERDICTS = { absent: 'create', 'half-made': 'repair', 'root lost': 'repair', recreate: 'recreate' } as const;

const STOP_SUMMARIES: Readonly<Record<StopReason, string>> = {
  state: 'shut down',
  restart: 'shut down, to start with what has changed',
  recreate: 'shut down, to get a new root volume',
  rename: 'shut down, to be renamed',
};

function stopVerdict(because: StopReason): Verdict {
  return because === 'state' ? 'power' : because;
}

function burySummary({ tombstone }: Extract<InstanceChange, { do: 'buryRoot' }>): string {
  return `take its root volume out of use; it stays as a tombstone in pool "${tombstone.pool}"`;
}

function createSummary({ image, pool, revive, because }: Extract<InstanceChange, { do: 'create' }>): string {
  if (revive !== undefined) return `bring it back from tombstone "${basename(revive)}" in pool "${pool}"`;
  const what = `create from image "${image}" in pool "${pool}"`;
  if (because === 'absent') return what;
  if (because === 'recreate') return `make its root volume anew from image "${image}" in pool "${pool}"`;
  return because === 'half-made' ? `finish what is half-made: ${what}` : `${what}: its root volume is gone`;
}

const PLUG_WORDS = { plug: 'plug in', unplug: 'unplug', replug: 'replug' } as const;

const PLUG_REASONS = {
  declared: '',
  below: ', because it is mounted below another one that is plugged',
  appeared: ', because its source is there now',
  repair: ', which is not there as it should be',
} as const;

function replugSummary({ device, action, because }: Extract<InstanceChange, { do: 'replug' }>): string {
  return `${PLUG_WORDS[action]} device "${device}"${PLUG_REASONS[because]}`;
}

function configureSummary({ repair, seed }: Extract<InstanceChange, { do: 'configure' }>): string {
  if (repair) return 'write its configuration again, which is not as it should be';
  return seed.length > 0 ? 'write its configuration and cloud-init seed' : 'write its configuration';
}

function deleteSummary({ tombstone }: Extract<InstanceChange, { do: 'delete' }>): string {
  // Not the tombstone's name: it holds the time of planning, and two plans of the same thing have to read the same.
  return tombstone === undefined ? 'delete' : `delete; its root volume is kept in pool "${tombstone.pool}" for "lockstep undelete"`;
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? 'unlimited' : formatSize(bytes);
}

function sizeField({ from, to }: Extract<InstanceChange, { do: 'setSize' }>): FieldChange {
  return { field: 'devices.root.size', from: sizeText(from), to: sizeText(to) };
}

function leaseFields({ set, remove }: Extract<InstanceChange, { do: 'setDhcpHosts' }>): FieldChange[] {
  const device = (key: string): string => `devices.${key.slice(key.indexOf('.') + 1)}`;
  return [
    ...set.map(({ key, host }) => ({ field: device(key), to: `${host.hwaddr} ${host.address ?? 'any address'}` })),
    ...remove.map(({ key, bridge }) => ({ field: device(key), from: `lease on ${bridge}` })),
  ];
}
