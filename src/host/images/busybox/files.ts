// The files of the busybox image besides busybox itself: a system small enough to start in milliseconds that still gets an address,
// serves a directory, runs a hook and stops cleanly.

export interface TemplateFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

// busybox init answers signals by its inittab: SIGINT runs `ctrlaltdel`. So a stop runs our own script, which ends as soon as all
// processes have, while init's own way (SIGUSR2) always sleeps for two seconds. SIGTERM is a reboot in busybox init.
export const HALT_SIGNAL = 'SIGINT';
export const REBOOT_SIGNAL = 'SIGTERM';

const inittab = `# busybox init; see "busybox init --help"
::sysinit:/etc/init.d/rcS
::respawn:/etc/init.d/network
::respawn:/sbin/uevent /etc/init.d/plugged
::ctrlaltdel:/etc/init.d/stop
`;

const rcS = `#!/bin/sh
# Run once at start.
for left in /run/* /tmp/*; do
  [ -e "$left" ] || [ -L "$left" ] || continue
  rm -rf /run/* /tmp/*
  break
done
ip link set lo up
# A page to serve can be declared as environment.WWW_PAGE: a container that answers without an image of its own.
if [ -n "$WWW_PAGE" ]; then mkdir -p /srv/www && printf '%s\\n' "$WWW_PAGE" >/srv/www/index.html; fi
if [ -d /srv/www ]; then httpd -h /srv/www; fi
if [ -x /etc/rc.local ]; then /etc/rc.local & fi
`;

const network = `#!/bin/sh
# Kept running by init: asks for an address on eth0 as soon as there is one, and keeps the lease.
while [ ! -e /sys/class/net/eth0 ]; do sleep 5; done
read -r name </proc/sys/kernel/hostname
exec udhcpc -f -S -R -s /usr/share/udhcpc/default.script -t 10 -T 1 -A 2 -i eth0 -x "hostname:$name" >/dev/null 2>&1
`;

const plugged = `#!/bin/sh
# Run by uevent for what the kernel tells. eth0 that was taken out and put in is another link, which a running udhcpc does not notice.
[ "$ACTION.$INTERFACE" = add.eth0 ] || exit 0
exec killall udhcpc
`;

const stop = `#!/bin/sh
# Run by init for SIGINT: ends everything, then powers off. Waits for processes for at most 10 seconds.
kill -TERM -1
n=0
while [ $n -lt 200 ]; do
  set -- /proc/[0-9]*
  if [ $# -le 2 ]; then break; fi
  usleep 50000
  n=$((n + 1))
done
sync
exec poweroff -f
`;

const dhcpScript = `#!/bin/sh
# Called by udhcpc with what the server said in the environment. Every program that is run here is run in every container that starts, so
# there are few, and of those that busybox runs without executing itself anew (ip, mv). An address that the interface has already keeps its
# routes and connections; another one goes.
lease="/run/$interface.address"
case "$1" in
  deconfig)
    if [ -e "$lease" ]; then ip -4 addr flush dev "$interface"; fi
    ip link set "$interface" up
    ;;
  bound | renew)
    if [ -n "$mtu" ]; then ip link set "$interface" mtu "$mtu"; fi
    if [ -e "$lease" ]; then
      read -r had <"$lease"
      if [ "$had" != "$ip/$mask" ]; then ip -4 addr flush dev "$interface"; fi
    fi
    ip addr replace "$ip/$mask" dev "$interface"
    echo "$ip/$mask" >"$lease"
    for gateway in $router; do
      ip route replace default via "$gateway" dev "$interface"
      break
    done
    {
      if [ -n "$domain" ]; then echo "search $domain"; fi
      for server in $dns; do echo "nameserver $server"; done
    } >/run/resolv.conf.new
    mv /run/resolv.conf.new /run/resolv.conf
    ;;
esac
`;

export const DIRECTORIES: readonly { readonly path: string; readonly mode: number }[] = [
  ...['bin', 'dev', 'etc', 'etc/init.d', 'home', 'lib', 'mnt', 'opt', 'proc', 'run', 'sbin', 'srv', 'sys'].map((path) => ({
    path,
    mode: 0o755,
  })),
  ...['usr', 'usr/bin', 'usr/sbin', 'usr/share', 'usr/share/udhcpc', 'usr/local', 'usr/local/bin', 'var', 'var/lib', 'var/log'].map(
    (path) => ({
      path,
      mode: 0o755,
    }),
  ),
  { path: 'root', mode: 0o700 },
  { path: 'tmp', mode: 0o1777 },
  { path: 'var/tmp', mode: 0o1777 },
];

export const LINKS: readonly { readonly path: string; readonly target: string }[] = [
  { path: 'etc/resolv.conf', target: '../run/resolv.conf' },
  // Upstream's busybox looks for its DHCP script in /usr/share, Debian's in /etc.
  { path: 'etc/udhcpc', target: '../usr/share/udhcpc' },
  { path: 'etc/mtab', target: '../proc/self/mounts' },
  { path: 'var/run', target: '../run' },
];

export const FILES: readonly TemplateFile[] = [
  { path: 'etc/inittab', mode: 0o644, text: inittab },
  { path: 'etc/init.d/rcS', mode: 0o755, text: rcS },
  { path: 'etc/init.d/network', mode: 0o755, text: network },
  { path: 'etc/init.d/plugged', mode: 0o755, text: plugged },
  { path: 'etc/init.d/stop', mode: 0o755, text: stop },
  { path: 'usr/share/udhcpc/default.script', mode: 0o755, text: dhcpScript },
  { path: 'etc/passwd', mode: 0o644, text: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
  { path: 'etc/group', mode: 0o644, text: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' },
  { path: 'etc/shadow', mode: 0o600, text: 'root:*:::::::\nnobody:*:::::::\n' },
  { path: 'etc/shells', mode: 0o644, text: '/bin/sh\n/bin/ash\n' },
  { path: 'etc/hosts', mode: 0o644, text: '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' },
  { path: 'etc/profile', mode: 0o644, text: 'export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n' },
];
