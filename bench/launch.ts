// From one new manifest file to COUNT busybox instances RUNNING on btrfs and a bridge, next to what `btrfs subvolume snapshot` and
// `lxc-start` need for the same with the distribution's includes. Ends with code 1 when the ratio is over LIMIT, or when not all of them
// really run. As root: node bench/launch.ts [count] [rounds] [limit]
import { TestHost } from '../test/host/harness.ts';
import { type LockstepRound, lockstepRound, median, prepare } from './lockstep-round.ts';
import { machine } from './machine.ts';
import { raw, type Raw, STOCK, WIDTH } from './raw-launch.ts';

const COUNT = Number(process.argv[2] ?? 50);
const ROUNDS = Number(process.argv[3] ?? 3);
const LIMIT = Number(process.argv[4] ?? 1);

function line(what: string, values: readonly number[], unit = 'ms'): number {
  const middle = median(values);
  console.log(`${what.padEnd(58)} ${middle.toFixed(0).padStart(6)} ${unit}   (${values.map((value) => value.toFixed(0)).join(', ')})`);
  return middle;
}

console.log(`${COUNT} busybox instances, unprivileged, btrfs and bridge; ${ROUNDS} rounds, median (each); ${machine()}`);
let ratio = Number.NaN;
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'info' } });
  await prepare(host);
  const bridge = (): string => `${host.prefix}-lan`;

  const stock: Raw[] = [];
  const lean: Raw[] = [];
  const ours: LockstepRound[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    stock.push(await raw(host, round, STOCK, COUNT, bridge));
    ours.push(await lockstepRound(host, COUNT));
    lean.push(await raw(host, round, [], COUNT, bridge));
  }
  const ms = (of: readonly Raw[]): number[] => of.map(({ launchMs }) => launchMs);
  const rawMs = line(`raw: snapshot and lxc-start, stock includes, width ${WIDTH}`, ms(stock));
  line(`raw: the same without any includes, width ${WIDTH}`, ms(lean));
  const oursMs = line('lockstep: from the manifest to all RUNNING', ms(ours));
  const readyMs = ours.map((one) => one.readyMs);
  line('lockstep: from the manifest to all Ready in its status', readyMs);
  const stopMs = (of: readonly Raw[]): number[] => of.map((one) => one.stopMs);
  line(`raw: lxc-stop -k and subvolume delete, stock, width ${WIDTH}`, stopMs(stock));
  line('lockstep: prune, from the confirmation to all gone', stopMs(ours));
  const rss = ours.map((one) => one.rssMiB);
  line(`lockstepd: resident memory with ${COUNT} running`, rss, 'MiB');
  ratio = oursMs / rawMs;
}
console.log(`ratio: ${ratio.toFixed(2)} (at most ${LIMIT})`);
process.exitCode = ratio <= LIMIT ? 0 : 1;
