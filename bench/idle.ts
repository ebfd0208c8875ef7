// The daemon with many running instances and nothing to do: CPU, wake-ups, memory, and the monitors' memory. On a host where others
// make and remove links, mounts or nftables rules it is woken by those: the figures are of a host where nothing else happens.
// Ends with code 1 over the limits. As root: node bench/idle.ts [count] [seconds]
import { setTimeout as sleep } from 'node:timers/promises';
import { TestHost } from '../test/host/harness.ts';
import { checkRunning, fleetNames, startFleet } from './fleet.ts';
import { line, machine, verdict } from './machine.ts';
import { childrenOf, parentOf, pssMiB, statSeconds, statusMiB, voluntarySwitches } from './process.ts';

const COUNT = Number(process.argv[2] ?? 200);
const SECONDS = Number(process.argv[3] ?? 60);
/** Threads that have nothing to do end after half a minute; memory is given back after ten quiet seconds. */
const SETTLE_MS = 45_000;
const CPU_PERCENT = 0.3;
const SWITCHES = 2;
const RSS_MIB = 120;
const MONITOR_MIB = 0.5;

console.log(`${COUNT} running instances, ${SECONDS} s; ${machine()}`);
{
  await using host = new TestHost({ env: { LOCKSTEP_LOG: 'info' } });
  await startFleet(host, COUNT);
  await sleep(SETTLE_MS);
  const ours = [host.daemonPid, ...childrenOf(host.daemonPid)];
  const reading = (): { cpu: number; switches: number } => ({
    cpu: ours.reduce((sum, pid) => sum + statSeconds(pid), 0),
    switches: ours.reduce((sum, pid) => sum + voluntarySwitches(pid), 0),
  });
  const before = reading();
  await sleep(SECONDS * 1000);
  const after = reading();
  const cpu = ((after.cpu - before.cpu) / SECONDS) * 100;
  const switches = (after.switches - before.switches) / SECONDS;
  const rss = statusMiB(host.daemonPid, 'VmRSS');
  line('resident memory of the helper', pssMiB(ours[1]!), 'MiB (PSS)');
  const monitors = checkRunning(host, fleetNames(COUNT)).map((init) => pssMiB(parentOf(init)));
  line('CPU of the daemon and its helper', cpu, '% of a core', `at most ${CPU_PERCENT}`);
  line('voluntary context switches', switches, 'a second', `under ${SWITCHES}`);
  line('resident memory of the daemon', rss, 'MiB', `at most ${RSS_MIB}`);
  line('memory of a monitor, largest', Math.max(...monitors), 'MiB (PSS)', `at most ${MONITOR_MIB}`);
  line(
    'memory of all monitors',
    monitors.reduce((sum, one) => sum + one, 0),
    'MiB (PSS)',
  );
  verdict({
    'P5 CPU': cpu <= CPU_PERCENT,
    'P5 wake-ups': switches < SWITCHES,
    'P5 memory of the daemon': rss <= RSS_MIB,
    'P5 memory of the monitors': Math.max(...monitors) <= MONITOR_MIB,
  });
}
