// The configuration liblxc gets, in full, for both kinds of cgroups; and that no value breaks out of its line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostCapabilities } from '../../../../src/host/ports/capabilities.ts';
import { configOwner, configText } from '../../../../src/kinds/instance/config-text.ts';
import { render } from '../../../../src/kinds/instance/render.ts';
import { makeTarget } from '../../../../src/kinds/instance/target.ts';
import { Bench, HYBRID, manifest, resolveText, UID, V2, WEB } from './fixture.ts';

function configOf(spec: string, host: HostCapabilities = HYBRID, prepare: (bench: Bench) => void = () => undefined): string {
  const bench = new Bench().declare(spec);
  bench.capabilities = host;
  bench.allocations.set('idrange', '1000000').set('hwaddr:eth0', '00:16:3e:00:00:01');
  prepare(bench);
  const base = { pool: 'fast', image: { name: 'busybox', fingerprint: 'f', haltSignal: 'SIGUSR1', rebootSignal: 'SIGTERM' } };
  const target = makeTarget(WEB, bench.desired!, base, bench.recorded, bench.facts, {
    generation: 1,
    heldBoot: undefined,
    seed: undefined,
  });
  return render(target, bench.hostPaths).config;
}

const SPEC = `  config: { limits.memory: 64MiB, limits.cpu: 0-1, environment.B: "2", environment.A: 'x = "y" # z', limits.kernel.nofile: "10:20", linux.sysctl.net.ipv4.ip_forward: "1" }`;

const BASICS = `# Written by Lockstep for ${UID}; changes made here are undone.
lxc.uts.name = web
lxc.arch = x86_64
lxc.log.file = /state/instances/web/log
lxc.log.level = WARN
lxc.tty.max = 0
lxc.pty.max = 1024
lxc.console.buffer.size = auto
lxc.autodev = 1
lxc.signal.halt = SIGUSR1
lxc.signal.reboot = SIGTERM
lxc.rootfs.path = dir:/state/pools/fast/containers/web/rootfs
lxc.rootfs.options = idmap=container
lxc.idmap = u 0 1000000 65536
lxc.idmap = g 0 1000000 65536
lxc.seccomp.profile = /state/seccomp/default
`;

const MOUNTS = `lxc.mount.entry = mqueue dev/mqueue mqueue rw,relatime,create=dir,optional 0 0
lxc.mount.entry = /sys/fs/fuse/connections sys/fs/fuse/connections none bind,optional 0 0
lxc.mount.entry = /sys/fs/pstore sys/fs/pstore none rbind,optional 0 0
lxc.mount.entry = /sys/kernel/config sys/kernel/config none rbind,optional 0 0
lxc.mount.entry = /sys/kernel/debug sys/kernel/debug none rbind,optional 0 0
lxc.mount.entry = /sys/kernel/security sys/kernel/security none rbind,optional 0 0
lxc.mount.entry = /sys/kernel/tracing sys/kernel/tracing none rbind,optional 0 0
lxc.mount.entry = /sys/firmware/efi/efivars sys/firmware/efi/efivars none bind,optional 0 0
lxc.mount.entry = /proc/sys/fs/binfmt_misc proc/sys/fs/binfmt_misc none rbind,optional 0 0
`;

const GROUPS = `lxc.cgroup.dir.container = ls.lockstep/web/payload
lxc.cgroup.dir.monitor = ls.lockstep/web/monitor
lxc.cgroup.dir.monitor.pivot = ls.lockstep/web/pivot
`;

const PROCESSES = `lxc.prlimit.nofile = 10:20
lxc.sysctl.net.ipv4.ip_forward = 1
lxc.environment = A=x = "y" # z
lxc.environment = B=2
`;

const NIC = `lxc.net.0.type = veth
lxc.net.0.link = ls-lan
lxc.net.0.veth.pair = lsvPAIR
lxc.net.0.name = eth0
lxc.net.0.hwaddr = 00:16:3e:00:00:01
lxc.net.0.mtu = 1500
lxc.net.0.flags = up
`;

const V1_LIMITS = `lxc.cgroup.memory.limit_in_bytes = 67108864
lxc.cgroup.memory.memsw.limit_in_bytes = 67108864
lxc.cgroup.memory.soft_limit_in_bytes = 60397977
lxc.cgroup.cpuset.cpus = 0-1
`;

const V2_LIMITS = `lxc.cgroup2.memory.max = 67108864
lxc.cgroup2.memory.swap.max = 0
lxc.cgroup2.cpuset.cpus = 0-1
`;

describe('the configuration', () => {
  const withoutPair = (text: string): string => text.replace(/(veth\.pair = lsv)[a-z2-7]{9}/, '$1PAIR');

  it('of an unprivileged instance on v1', () => {
    const auto = 'lxc.mount.auto = proc:rw sys:rw cgroup:mixed\n';
    assert.equal(withoutPair(configOf(SPEC)), BASICS + auto + MOUNTS + GROUPS + V1_LIMITS + PROCESSES + NIC);
  });

  it('of an unprivileged instance on v2 with AppArmor', () => {
    const host = { ...V2, apparmor: true };
    const auto = 'lxc.apparmor.profile = generated\nlxc.mount.auto = proc:rw sys:rw cgroup:rw:force\n';
    assert.equal(withoutPair(configOf(SPEC, host)), BASICS + auto + MOUNTS + GROUPS + V2_LIMITS + PROCESSES + NIC);
  });

  it('of a privileged one has no id map, fewer capabilities and a list of devices', () => {
    for (const [host, key] of [
      [HYBRID, 'lxc.cgroup.devices'],
      [V2, 'lxc.cgroup2.devices'],
    ] as const) {
      const text = configOf('  config: { security.privileged: "true" }', host);
      assert.doesNotMatch(text, /idmap/);
      assert.match(text, /^lxc\.cap\.drop = sys_time sys_module sys_rawio mac_admin mac_override$/m);
      assert.match(text, /^lxc\.mount\.auto = proc:mixed sys:mixed cgroup/m);
      const rules = text.split('\n').filter((line) => line.startsWith(key));
      assert.equal(rules[0], `${key}.deny = a`);
      assert.ok(rules.includes(`${key}.allow = c 1:3 rwm`));
      assert.ok(!rules.some((rule) => /allow = [bc] .*r/.test(rule) && rule.includes('*:*')), 'no device may be read but those listed');
    }
  });

  it('for nesting has proc and sysfs without anything over them, and lets AppArmor allow it', () => {
    const text = configOf('  config: { security.nesting: "true" }', { ...V2, apparmor: true });
    assert.match(text, /^lxc\.mount\.entry = proc dev\/\.lxc\/proc proc create=dir,optional 0 0$/m);
    assert.match(text, /^lxc\.apparmor\.allow_nesting = 1$/m);
  });

  it('binds the files of lxcfs where it is mounted', () => {
    const text = configOf('', { ...HYBRID, lxcfs: '/var/lib/lxcfs' });
    assert.match(text, /^lxc\.mount\.entry = \/var\/lib\/lxcfs\/proc\/meminfo proc\/meminfo none bind,optional 0 0$/m);
  });

  it('without a NIC still asks for a network namespace', () => {
    assert.match(configOf('  devices: { eth0: { type: none } }'), /^lxc\.net\.0\.type = empty$/m);
    assert.doesNotMatch(configOf(''), /empty/);
  });

  it('says whose it is', () => {
    assert.equal(configOwner(configOf('')), UID);
    assert.equal(configOwner('lxc.uts.name = other\n'), undefined);
  });

  it('refuses CPUs the host does not have', () => {
    assert.throws(() => configOf('  config: { limits.cpu: 2-5 }'), { code: 'VALUE_INVALID', message: /does not have: 4, 5/ });
  });
});

describe('a value that would not stay what it is', () => {
  it('is refused: control characters, blanks at the ends, quotes at the start, nothing', () => {
    for (const value of ['a\nlxc.hook.pre-start = /bin/sh', 'a\rb', 'a\0b', 'a\tb', '\u007f', ' a', 'a ', '"a"', "'a", '']) {
      assert.throws(() => configText(UID, [['lxc.environment', value]]), { code: 'VALUE_INVALID' }, JSON.stringify(value));
    }
  });

  it('is refused as a key, and so are includes', () => {
    for (const key of ['lxc.include', 'lxc.uts.name = x\nlxc.a', 'hook', 'lxc. x']) {
      assert.throws(() => configText(UID, [[key, 'x']]), { code: 'VALUE_INVALID' }, JSON.stringify(key));
    }
  });

  it('is a problem of the manifest where it stands', () => {
    const { spec, problems } = resolveText(manifest('  config: { environment.A: "x " }'));
    assert.equal(spec, undefined);
    assert.equal(problems[0]?.line, 14);
    assert.match(problems[0]?.message ?? '', /environment\.A.*blank/);
  });
});
