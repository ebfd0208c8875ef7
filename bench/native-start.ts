// How fast containers start and stop through the helper, next to plain lxc-start and lxc-stop with the same configuration.
// Run as root: node bench/native-start.ts [count] [width]. Busybox, unprivileged, one veth on a bridge of its own.
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { makeTestHost } from '../test/native/busybox-container.ts';

const run = promisify(execFile);
const count = Number(process.argv[2] ?? 50);
const width = Number(process.argv[3] ?? 8);
const signal = AbortSignal.timeout(300_000);
const bridge = 'bn-bench';

async function inParallel(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<{ ms: number; each: number[] }> {
  const left = [...names];
  const each: number[] = [];
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        const at = performance.now();
        await work(name);
        each.push(performance.now() - at);
      }
    }),
  );
  return { ms: performance.now() - begun, each: each.sort((a, b) => a - b) };
}

function report(what: string, { ms, each }: { ms: number; each: number[] }): void {
  const at = (part: number): string => (each[Math.min(each.length - 1, Math.floor(each.length * part))] ?? 0).toFixed(0);
  const rate = (each.length / ms) * 1000;
  console.log(
    `${what.padEnd(34)} ${ms.toFixed(0).padStart(6)} ms  ${rate.toFixed(1).padStart(6)}/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`,
  );
}

execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge']);
try {
  execFileSync('ip', ['link', 'set', bridge, 'up']);
  await using host = await makeTestHost('bn');
  const names = Array.from({ length: count }, (_, i) => `b${i}`);
  for (const [i, name] of names.entries()) {
    await host.define(name, [
      'lxc.net.0.type = veth',
      `lxc.net.0.link = ${bridge}`,
      `lxc.net.0.veth.pair = bnv${i}`,
      'lxc.net.0.mtu = 1500',
      'lxc.net.0.flags = up',
    ]);
  }
  console.log(`${count} containers at width ${width}`);
  for (let round = 1; round <= 3; round++) {
    report(`start through the helper, round ${round}`, await inParallel(names, (name) => host.port.start(name, signal)));
    const before = performance.now();
    await host.port.list();
    console.log(`listing ${count} running containers: ${(performance.now() - before).toFixed(1)} ms`);
    report(`stop through the port, round ${round}`, await inParallel(names, (name) => host.port.kill(name, signal)));
  }
  const path = ['-P', host.paths.instances, '-n'];
  // Without newuidmap in its PATH, as in our helper: root then writes the id maps itself and asks no /etc/subuid.
  const env = { PATH: '/nonexistent' };
  report('lxc-start -d', await inParallel(names, (name) => run('/usr/bin/lxc-start', [...path, name, '-d'], { env })));
  report('lxc-stop -k', await inParallel(names, (name) => run('/usr/bin/lxc-stop', [...path, name, '-k'], { env })));
} finally {
  execFileSync('ip', ['link', 'del', bridge]);
}
