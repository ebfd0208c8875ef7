// IP forwarding of the host: switched on when a network needs it, written down, and never switched off again (other programs may have
// come to rely on it).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { replaceFile } from './replace-file.ts';

const SETTINGS = { ipv4: '/proc/sys/net/ipv4/ip_forward', ipv6: '/proc/sys/net/ipv6/conf/all/forwarding' } as const;

export async function readForwarding(): Promise<{ ipv4: boolean; ipv6: boolean }> {
  return { ipv4: (await readSetting('ipv4')) === '1', ipv6: (await readSetting('ipv6')) === '1' };
}

/** Already on is fine. `directory` holds the record of what it was before. */
export async function enableForwarding(family: 'ipv4' | 'ipv6', directory: string, log: Log): Promise<void> {
  if ((await readSetting(family)) === '1') return;
  await mkdir(directory, { recursive: true, mode: 0o711 });
  await replaceFile(join(directory, `forwarding-${family}.json`), `${JSON.stringify({ before: '0', at: new Date().toISOString() })}\n`, {
    mode: 0o600,
  });
  try {
    await writeFile(SETTINGS[family], '1');
  } catch (error) {
    throw new AppError(
      'NETWORK_FAILED',
      { family },
      {
        message: `Forwarding of ${family} packets could not be switched on: ${SETTINGS[family]} could not be written.`,
        hint: `If this is a container, switch it on where its /proc/sys can be written: sysctl -w net.ipv4.ip_forward=1`,
        cause: error,
      },
    );
  }
  log.info({ family }, 'forwarding switched on');
}

async function readSetting(family: 'ipv4' | 'ipv6'): Promise<string> {
  try {
    return (await readFile(SETTINGS[family], 'utf8')).trim();
  } catch (error) {
    if (family === 'ipv6') return '0'; // a kernel without IPv6
    throw new AppError('HOST_UNREADABLE', { file: SETTINGS[family] }, { message: `${SETTINGS[family]} could not be read.`, cause: error });
  }
}
