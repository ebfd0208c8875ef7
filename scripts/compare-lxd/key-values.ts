// Which values of which keys are asked about. `probe` is set on a running container to see when it takes effect; the values of `try` are
// set on a stopped one to see whether they are accepted.

export interface KeyQuestion {
  readonly key: string;
  readonly try: readonly string[];
  readonly probe?: string;
}

const BOOLEANS = ['true', 'false', '1', '0', 'yes', 'no', 'on', 'off', 'True', 'TRUE', 'y', '2', 'x'];

export const KEY_QUESTIONS: readonly KeyQuestion[] = [
  { key: 'limits.cpu', try: ['1', '2', '0', '0-1', '0,1', '1-1', '-1', 'x', '1.5', '1-', ' 1'], probe: '1-1' },
  {
    key: 'limits.cpu.allowance',
    try: ['50%', '100%', '150%', '0%', '25ms/100ms', '200ms/100ms', '50', 'x%', '25/100', '1s/2s'],
    probe: '25ms/100ms',
  },
  { key: 'limits.cpu.priority', try: ['0', '5', '10', '11', '-1', 'x'], probe: '3' },
  {
    key: 'limits.memory',
    try: [
      '64MiB',
      '1GB',
      '134217728',
      '50%',
      '1GiB',
      '64MB',
      '64 MiB',
      '64mib',
      '64M',
      '1.5GiB',
      '-1',
      'x',
      '0%',
      '100%',
      '150%',
      '1PiB',
      '1EiB',
    ],
    probe: '96MiB',
  },
  { key: 'limits.memory.enforce', try: ['hard', 'soft', 'Hard', 'x'] },
  { key: 'limits.memory.swap', try: BOOLEANS, probe: 'false' },
  { key: 'limits.memory.swap.priority', try: ['0', '10', '11', '-1', 'x'], probe: '4' },
  { key: 'limits.processes', try: ['100', '1', '0', '-1', 'x', '1.5'], probe: '77' },
  { key: 'limits.disk.priority', try: ['0', '10', '11', 'x'], probe: '7' },
  { key: 'limits.network.priority', try: ['0', '10', '11', 'x'], probe: '7' },
  { key: 'limits.hugepages.2MB', try: ['10MiB', '2MB', 'x', '-1'], probe: '4MiB' },
  {
    key: 'limits.kernel.nofile',
    try: ['1024', '1024:4096', 'unlimited', 'unlimited:unlimited', '4096:1024', '1:2:3', 'x', '-1'],
    probe: '999:1999',
  },
  { key: 'limits.kernel.nproc', try: ['100', '100:200', 'unlimited'], probe: '5000:6000' },
  { key: 'limits.kernel.memlock', try: ['65536', '64KiB', 'unlimited'], probe: '65536:131072' },
  { key: 'limits.kernel.bogus', try: ['1'] },
  { key: 'boot.autostart', try: BOOLEANS, probe: 'true' },
  { key: 'boot.autostart.delay', try: ['0', '5', '-1', 'x', '5s'], probe: '1' },
  { key: 'boot.autostart.priority', try: ['0', '10', '-10', 'x'], probe: '1' },
  { key: 'boot.stop.priority', try: ['0', '10', '-10', 'x'], probe: '1' },
  { key: 'boot.host_shutdown_timeout', try: ['0', '30', '-1', 'x', '30s'], probe: '5' },
  { key: 'security.nesting', try: BOOLEANS, probe: 'true' },
  { key: 'security.privileged', try: ['true', 'false', 'x'], probe: 'true' },
  { key: 'security.protection.delete', try: ['true', 'false', 'x'] },
  { key: 'security.protection.shift', try: ['true', 'false', 'x'] },
  { key: 'security.idmap.isolated', try: ['true', 'false', 'x'], probe: 'true' },
  { key: 'security.idmap.size', try: ['65536', '100000', 'x', '-1'] },
  { key: 'security.idmap.base', try: ['2000000', 'x', '-1'] },
  { key: 'security.devlxd', try: ['true', 'false', 'x'], probe: 'false' },
  { key: 'security.devlxd.images', try: ['true', 'x'] },
  { key: 'security.syscalls.deny', try: ['kexec_load', 'kexec_load\nopen_by_handle_at'] },
  { key: 'security.syscalls.deny_default', try: ['true', 'false', 'x'], probe: 'false' },
  { key: 'security.syscalls.deny_compat', try: ['true', 'false', 'x'] },
  { key: 'security.syscalls.intercept.mknod', try: ['true', 'false', 'x'] },
  { key: 'security.syscalls.intercept.setxattr', try: ['true', 'false', 'x'] },
  { key: 'environment.FOO', try: ['1', 'a b', 'a=b', 'über', 'one\ntwo'], probe: 'bar' },
  { key: 'environment.bad-name', try: ['1'] },
  { key: 'user.note', try: ['x', 'one\ntwo\n', ' '], probe: 'x' },
  { key: 'linux.sysctl.net.ipv4.ip_forward', try: ['0', '1', 'x'], probe: '0' },
  { key: 'linux.kernel_modules', try: ['loop', 'loop,dummy', 'lo op'] },
  { key: 'cloud-init.user-data', try: ['#cloud-config\n', 'anything'], probe: '#cloud-config\n' },
  {
    key: 'snapshots.schedule',
    try: ['@daily', '@hourly', '@never', '@startup', '0 6 * * *', '@daily, @hourly', 'x', '0 6 * *', '* * * * * *', '61 * * * *'],
  },
  { key: 'snapshots.schedule.stopped', try: ['true', 'x'] },
  { key: 'snapshots.expiry', try: ['1d', '1M 2H 3d 4w 5m 6y', '1x', 'd', '1d1d', '0d'] },
  { key: 'snapshots.pattern', try: ['snap%d', '{{ creation_date }}', 'a/b'] },
  { key: 'migration.incremental.memory', try: ['true', 'x'] },
  { key: 'migration.incremental.memory.goal', try: ['70', '70%', 'x'] },
  { key: 'migration.incremental.memory.iterations', try: ['10', '0', 'x'] },
  { key: 'cluster.evacuate', try: ['auto', 'migrate', 'live-migrate', 'stop', 'x'] },
  { key: 'nvidia.runtime', try: ['true', 'x'] },
  { key: 'nvidia.driver.capabilities', try: ['compute,utility', 'all', 'x'] },
  { key: 'raw.lxc', try: ['lxc.cap.drop = sys_time', 'lxc.mount.auto = proc', 'bogus'] },
  { key: 'raw.idmap', try: ['both 1000 1000', 'uid 50-60 500-510', 'x'] },
  { key: 'raw.apparmor', try: ['/proc/** r,'] },
  { key: 'raw.seccomp', try: ['2\ndenylist\n'] },
  { key: 'boot.autorestart', try: ['true'] },
  { key: 'limits.cpu.nodes', try: ['0'] },
  { key: 'limits.bogus', try: ['1'] },
  { key: 'bogus', try: ['1'] },
];

/** Options of devices and networks: accepted or not when an object with these is made. */
export interface ObjectQuestion {
  readonly scope: 'device/nic' | 'device/disk' | 'device/unix-char' | 'network/bridge' | 'pool/dir';
  readonly key: string;
  readonly try: readonly string[];
}

export const OBJECT_QUESTIONS: readonly ObjectQuestion[] = [
  { scope: 'device/nic', key: 'hwaddr', try: ['00:16:3e:12:34:56', '00:16:3E:12:34:56', '00-16-3e-12-34-56', '00:16:3e', 'x'] },
  { scope: 'device/nic', key: 'mtu', try: ['1400', 'x'] },
  { scope: 'device/nic', key: 'name', try: ['eth7', 'a', '0123456789abcdef', 'a b', 'a/b', '..', 'lo', 'ü'] },
  {
    scope: 'device/nic',
    key: 'ipv4.address',
    try: ['10.199.72.9', '10.199.73.9', '10.199.72.1', '10.199.72.0', '10.199.72.9/24', 'none', 'x'],
  },
  { scope: 'device/disk', key: 'path', try: ['/mnt/a', 'mnt/a', '/mnt/../a', '/mnt//a', '/mnt/a b'] },
  { scope: 'device/disk', key: 'source', try: ['/etc', '/etc/../etc', '/nonexistent', 'tmpfs:', 'etc'] },
  { scope: 'device/disk', key: 'readonly', try: ['true', 'yes', 'x'] },
  { scope: 'device/disk', key: 'propagation', try: ['shared', 'private', 'x'] },
  { scope: 'device/unix-char', key: 'mode', try: ['0660', '660', '0o660', '07777', '0999', 'x'] },
  { scope: 'device/unix-char', key: 'uid', try: ['0', '1000', '70000', '-1', 'x'] },
  { scope: 'device/unix-char', key: 'source', try: ['/dev/net/tun', '/etc/passwd', 'dev/null'] },
  {
    scope: 'network/bridge',
    key: 'ipv4.address',
    try: ['10.199.74.1/24', 'none', '10.199.74.0/24', '10.199.74.1', '10.199.74.1/31', '10.199.74.1/33', '10.199.74.1/4', 'x'],
  },
  { scope: 'network/bridge', key: 'ipv4.nat', try: ['true', 'yes', 'x'] },
  {
    scope: 'network/bridge',
    key: 'ipv4.dhcp.ranges',
    try: ['10.199.74.50-10.199.74.60', '10.199.74.50-10.199.74.60,10.199.74.70-10.199.74.80', '10.199.74.60-10.199.74.50', 'x'],
  },
  { scope: 'network/bridge', key: 'ipv4.dhcp.expiry', try: ['1h', '30s', '2m', '1d', 'infinite', 'x'] },
  { scope: 'network/bridge', key: 'dns.mode', try: ['managed', 'none', 'dynamic', 'x'] },
  { scope: 'network/bridge', key: 'dns.domain', try: ['lxd', 'a.b', 'a b', '-x', 'ü'] },
  { scope: 'network/bridge', key: 'bridge.mtu', try: ['1400', '68', '67', '65535', '70000', 'x'] },
  { scope: 'network/bridge', key: 'bridge.hwaddr', try: ['00:16:3e:12:34:56', 'x'] },
  { scope: 'network/bridge', key: 'ipv4.routes', try: ['10.199.90.0/24', '10.199.90.0/24,10.199.91.0/24', 'x'] },
  { scope: 'network/bridge', key: 'tunnel.t1.protocol', try: ['gre', 'vxlan', 'x'] },
  { scope: 'network/bridge', key: 'ipv4.dhcp.routes', try: ['10.0.0.0/8'] },
  { scope: 'network/bridge', key: 'user.note', try: ['x'] },
  { scope: 'network/bridge', key: 'bogus', try: ['x'] },
  { scope: 'pool/dir', key: 'rsync.bwlimit', try: ['10MB', 'x'] },
  { scope: 'pool/dir', key: 'rsync.compression', try: ['true', 'x'] },
  { scope: 'pool/dir', key: 'volume.size', try: ['1GiB'] },
  { scope: 'pool/dir', key: 'user.note', try: ['x'] },
  { scope: 'pool/dir', key: 'bogus', try: ['x'] },
];
