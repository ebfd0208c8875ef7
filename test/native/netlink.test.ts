// The addon's rtnetlink part against the running kernel: what it reads is compared with ip, what it changes is read by ip.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rawNetlink } from '../../src/host/network/link/netlink-binding.ts';
import { mustRun, run } from '../../src/host/run/run.ts';
import { slowness } from '../host/harness.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

interface IpLink {
  readonly ifname: string;
  readonly ifindex: number;
  readonly mtu: number;
  readonly address?: string;
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function ipLink(name: string): Promise<IpLink | undefined> {
  const { stdout, code } = await run(['ip', '-j', 'address', 'show', 'dev', name]);
  return code === 0 ? (JSON.parse(stdout) as IpLink[])[0] : undefined;
}

function linkName(t: TestContext): string {
  const name = `nlt${process.pid.toString(36)}${Math.floor(Math.random() * 36 ** 3).toString(36)}`;
  t.after(async () => await run(['ip', 'link', 'delete', name]));
  return name;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && 'code' in error && error.code === code;
}

/** Runs a script in a process of its own, in a network namespace of its own when asked for. */
async function runScript(
  script: string,
  options: { inNamespace?: boolean } = {},
): Promise<{ code: number | null; out: string; ms: number }> {
  const binding = new URL('../../src/host/network/link/netlink-binding.ts', import.meta.url).href;
  const text = `import { rawNetlink } from ${JSON.stringify(binding)}; const netlink = rawNetlink();\n${script}`;
  const argv = [process.execPath, '--input-type=module-typescript', '--eval', text];
  const [file = '', ...rest] = options.inNamespace === true ? ['unshare', '--net', ...argv] : argv;
  const begun = performance.now();
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, ms: performance.now() - begun };
}

describe('rtnetlink', { skip }, () => {
  test('reads every link, address and route that ip shows', async () => {
    const { links, routes } = await rawNetlink().netlinkRead();
    const lo = links.find(({ name }) => name === 'lo')!;
    const expected = (await ipLink('lo'))!;
    assert.deepEqual([lo.index, lo.mtu, lo.hwaddr, lo.type], [expected.ifindex, expected.mtu, expected.address, '']);
    assert.deepEqual([...lo.addresses].toSorted(), expected.addr_info!.map(({ local, prefixlen }) => `${local}/${prefixlen}`).toSorted());
    const shown = JSON.parse((await mustRun(['ip', '-j', '-4', 'route', 'show'])).stdout) as { dst: string }[];
    for (const { dst } of shown) {
      const cidr = dst === 'default' ? '0.0.0.0/0' : dst.includes('/') ? dst : `${dst}/32`;
      assert.ok(routes.includes(cidr), cidr);
    }
    assert.ok(!routes.includes('127.0.0.1/32'), 'the table "local" is left out');
  });

  test('makes, changes and deletes a bridge and its ports', async (t) => {
    const netlink = rawNetlink();
    const bridge = linkName(t);
    const port = linkName(t);
    await netlink.netlinkAddBridge(bridge, { hwaddr: '02:11:22:33:44:55' });
    await netlink.netlinkSetLink(bridge, { mtu: 1400, up: true, alias: 'an alias' });
    await netlink.netlinkSetAddresses(bridge, ['198.18.99.1/29', 'fd99::1/64']);
    await mustRun(['ip', 'link', 'add', port, 'type', 'veth']);
    await netlink.netlinkSetLink(port, { master: bridge });
    const { links } = await netlink.netlinkRead();
    const read = links.find(({ name }) => name === bridge)!;
    assert.deepEqual([read.type, read.mtu, read.hwaddr, read.up, read.alias], ['bridge', 1400, '02:11:22:33:44:55', true, 'an alias']);
    assert.ok(['198.18.99.1/29', 'fd99::1/64'].every((one) => read.addresses.includes(one)));
    assert.equal(links.find(({ name }) => name === port)?.master, bridge);
    const some = await netlink.netlinkReadSome([port, 'nlt-none', bridge, 'lo']);
    assert.deepEqual(
      some,
      [port, bridge, 'lo'].map((name) => links.find((link) => link.name === name)),
    );
    await netlink.netlinkSetLink(port, { master: null });
    assert.equal((await netlink.netlinkRead()).links.find(({ name }) => name === port)?.master, undefined);
    await netlink.netlinkSetAddresses(bridge, []);
    const left = (await ipLink(bridge))!.addr_info!.map(({ local }) => local);
    assert.deepEqual(
      left.filter((one) => !one.startsWith('fe80')),
      [],
    );
    await netlink.netlinkDeleteLink(bridge);
    assert.equal(await ipLink(bridge), undefined);
  });

  test('a link whose name is no UTF-8 is in the way of no reading', async (t) => {
    const netlink = rawNetlink();
    // Nine bytes, of which JavaScript makes more than a link's name can have.
    const raw = "$(printf 'nlt\\377\\377\\377\\377\\377\\377')";
    await mustRun(['sh', '-c', `ip link add "${raw}" type veth peer name ${linkName(t)}`]);
    const { links } = await netlink.netlinkRead();
    const { name } = links.find((link) => link.name.startsWith('nlt\uFFFD'))!;
    const some = await netlink.netlinkReadSome([name, 'lo']);
    assert.deepEqual(
      some.map((link) => link.name),
      ['lo'],
    );
    assert.deepEqual(await netlink.netlinkPresent([name, 'lo']), ['lo']);
  });

  test('gives the kernel’s errno for what it refuses', async (t) => {
    const netlink = rawNetlink();
    const bridge = linkName(t);
    await netlink.netlinkAddBridge(bridge, {});
    await assert.rejects(netlink.netlinkAddBridge(bridge, {}), hasCode('EEXIST'));
    await assert.rejects(netlink.netlinkDeleteLink('nlt-none'), hasCode('ENODEV'));
    await assert.rejects(netlink.netlinkSetLink(bridge, { mtu: 1 }), hasCode('EINVAL'));
    await assert.rejects(netlink.netlinkSetLink(bridge, { hwaddr: '02:11:22:33:44' }), hasCode('EINVAL'));
    await assert.rejects(netlink.netlinkSetLink(bridge, { hwaddr: '02:11:22:33:44:55:66' }), hasCode('EINVAL'));
    await assert.rejects(netlink.netlinkSetLink(bridge, { master: 'nlt-none' }), hasCode('ENODEV'));
    await assert.rejects(netlink.netlinkSetAddresses(bridge, ['10.0.0.1/24; x']), hasCode('EINVAL'));
    await assert.rejects(netlink.netlinkAddBridge('a-name-of-sixteen', {}), hasCode('EINVAL'));
    await assert.rejects(netlink.netlinkSetLink('', { up: true }), hasCode('EINVAL'));
    assert.throws(() => netlink.netlinkDeleteLink('nlt\0x'), TypeError);
    assert.throws(() => netlink.netlinkDeleteLink(undefined as unknown as string), TypeError);
  });

  test('tells of changes by name until it is ended, twice if need be', async (t) => {
    const netlink = rawNetlink();
    const bridge = linkName(t);
    const seen: string[] = [];
    const end = netlink.netlinkWatchLinks((links) => seen.push(...links));
    await netlink.netlinkAddBridge(bridge, {});
    while (!seen.includes(bridge)) await sleep(5);
    end();
    end();
    seen.length = 0;
    await netlink.netlinkDeleteLink(bridge);
    await sleep(50);
    assert.deepEqual(seen, []);
  });

  test('a burst of changes comes in few calls, and lost ones are said to be lost', async () => {
    const { code, out } = await runScript(
      `let calls = 0, lost = false; const names = new Set();
       netlink.netlinkWatchLinks((links, everything) => { calls++; lost ||= everything; for (const one of links) names.add(one); });
       const { spawnSync } = await import('node:child_process');
       const input = Array.from({ length: 100 }, (_, at) => 'link add d' + at + ' type veth peer name e' + at).join('\\n');
       const { status } = spawnSync('ip', ['-batch', '-'], { input });
       await new Promise((resolve) => setTimeout(resolve, 100));
       console.log(JSON.stringify({ status, calls, names: names.size, lost }));`,
      { inNamespace: true },
    );
    assert.equal(code, 0);
    const result = JSON.parse(out) as { status: number; calls: number; names: number; lost: boolean };
    assert.equal(result.status, 0);
    assert.ok(result.names === 200 || result.lost, out);
    assert.ok(result.calls <= 3, out);
  });

  test('a reading while links come and go misses none that stay', async () => {
    // The kernel begins a dump anew at the wrong place when links go meanwhile, and says so (NLM_F_DUMP_INTR).
    const { code, out } = await runScript(
      `const { spawn, spawnSync } = await import('node:child_process');
       const { once } = await import('node:events');
       const stay = Array.from({ length: 200 }, (_, at) => 'stay' + at);
       spawnSync('ip', ['-batch', '-'], { input: stay.map((name) => 'link add ' + name + ' type bridge').join('\\n') });
       const churn = Array.from({ length: 40 }, (_, at) => ['link add c' + at % 40 + ' type bridge', 'link delete c' + at % 40]).flat();
       const other = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
       other.stdin.end(churn.join('\\n'));
       let going = true;
       once(other, 'close').then(() => (going = false));
       let readings = 0;
       while (going) {
         const { links } = await netlink.netlinkRead();
         const names = new Set(links.map(({ name }) => name));
         if (!stay.every((name) => names.has(name))) throw new Error('a link is missing');
         readings++;
       }
       console.log(readings);`,
      { inNamespace: true },
    );
    assert.equal(code, 0);
    assert.ok(Number(out) >= 5, `${out.trim()} readings`);
  });

  test('a host with a thousand links is read in milliseconds', async () => {
    const { code, out } = await runScript(
      `const { spawnSync } = await import('node:child_process');
       const input = Array.from({ length: 500 }, (_, at) => 'link add d' + at + ' type veth peer name e' + at).join('\\n');
       spawnSync('ip', ['-batch', '-'], { input });
       const times = [];
       for (let round = 0; round < 5; round++) {
         const begun = performance.now();
         const { links } = await netlink.netlinkRead();
         times.push(performance.now() - begun);
         if (links.length < 1001) throw new Error('only ' + links.length);
       }
       console.log(Math.min(...times));`,
      { inNamespace: true },
    );
    assert.equal(code, 0);
    assert.ok(Number(out) < 60 * slowness, `${out.trim()} ms`);
  });

  test('neither a subscription nor a reading under way keeps the process', async () => {
    const waits = await runScript(`netlink.netlinkWatchLinks(() => {}); netlink.netlinkWatchNftables(() => {});`);
    assert.deepEqual([waits.code, waits.ms < 5000], [0, true]);
    const leaves = await runScript(`void netlink.netlinkRead(); netlink.netlinkWatchLinks(() => {}); process.exit(7);`);
    assert.deepEqual([leaves.code, leaves.ms < 5000], [7, true]);
    const finishes = await runScript(`netlink.netlinkRead().then(({ links }) => console.log(links.length > 0));`);
    assert.deepEqual([finishes.code, finishes.out], [0, 'true\n']);
  });

  test('an error in a listener is an uncaught exception, not silence', async () => {
    const { code } = await runScript(
      `process.on('uncaughtException', () => process.exit(9));
       netlink.netlinkWatchLinks(() => { throw new Error('listener'); });
       await netlink.netlinkAddBridge('b0', {});
       setTimeout(() => process.exit(1), 1000);`,
      { inNamespace: true },
    );
    assert.equal(code, 9);
  });
});
