// IP forwarding of the host: switched on when a network needs it, written down, and never switched off again (other programs may have
// come to rely on it).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { replaceFile } from './replace-file.ts';

const SETTINGS = { ipv4: '/proc/sys/net/ipv4/ip_forward', ipv6: '/proc/sys/net/ipv6/conf/all/forwarding' } as const;

type Settings = Readonly<Record<keyof typeof SETTINGS, string>>;

export async function readForwarding(files: Settings = SETTINGS): Promise<{ ipv4: boolean; ipv6: boolean }> {
  return { ipv4: await isOn('ipv4', files), ipv6: await isOn('ipv6', files) };
}

/** Already on is fine. `directory` holds the record of what it was before. */
export async function enableForwarding(family: 'ipv4' | 'ipv6', directory: string, log: Log): Promise<void> {
  if (await isOn(family, SETTINGS)) return;
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

async function isOn(family: keyof Settings, files: Settings): Promise<boolean> {
  const file = files[family];
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    // A kernel without IPv6 has no such file.
    if (family === 'ipv6' && isErrno(error, 'ENOENT')) return false;
    throw new AppError('HOST_UNREADABLE', { file }, { message: `${file} could not be read.`, cause: error });
  }
  // The kernel takes any number for it and acts on whether it is zero. Nothing at all is no answer.
  if (!/^-?\d+$/.test(text)) throw new AppError('HOST_UNREADABLE', { file }, { message: `${file} does not hold a number.` });
  return Number(text) !== 0;
}
