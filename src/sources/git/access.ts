// How git gets in: what a remote's credentials become for one call. Secrets are in no argument and no environment: git asks a small script that
// reads the password file; a bearer token goes into a config file of mode 0600 that exists only while the call lasts.
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { GitUrl } from './location.ts';
import type { GitAuth } from './options.ts';

export interface AccessGrant {
  readonly protocol: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Answers git's two questions; `$1` is the question. Called by git itself, without a shell in between. */
const ASKPASS = `#!/bin/sh
case $1 in
  Username*) printf '%s\\n' "$LOCKSTEP_GIT_USERNAME" ;;
  *) exec head -n 1 -- "$LOCKSTEP_GIT_PASSWORD_FILE" ;;
esac
`;
const MAX_SECRET_BYTES = 64 * 1024;

export class Access {
  readonly #directory: string;
  readonly #url: GitUrl;
  readonly #auth: GitAuth;

  /** `directory`: for nobody else, below the run directory. */
  constructor(directory: string, url: GitUrl, auth: GitAuth) {
    this.#directory = directory;
    this.#url = url;
    this.#auth = auth;
  }

  /** Calls `work` with what git needs to reach the remote, and takes it away again. One call at a time. */
  async grant<T>(work: (grant: AccessGrant) => Promise<T>): Promise<T> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await chmod(this.#directory, 0o700);
    const configFile = join(this.#directory, 'config');
    try {
      await this.#write('config', await this.#config());
      const { protocol } = this.#url;
      return await work({ protocol, configFile, env: protocol === 'ssh' ? await this.#ssh() : await this.#http() });
    } finally {
      await rm(configFile, { force: true });
    }
  }

  async #config(): Promise<string> {
    const { tokenFile, caFile } = this.#auth;
    const lines: string[] = [];
    if (caFile !== undefined || tokenFile !== undefined) lines.push(`[http ${quoted(origin(this.#url))}]`);
    if (caFile !== undefined) lines.push(`sslCAInfo = ${quoted(caFile)}`);
    if (tokenFile !== undefined) lines.push(`extraHeader = ${quoted(`Authorization: Bearer ${await readSecret(tokenFile)}`)}`);
    return `${lines.join('\n')}\n`;
  }

  async #http(): Promise<Record<string, string>> {
    const { passwordFile, username } = this.#auth;
    if (passwordFile === undefined) return {};
    await readSecret(passwordFile); // its problems have a sentence here, and none from git
    const script = await this.#write('askpass', ASKPASS, 0o700);
    return { GIT_ASKPASS: script, LOCKSTEP_GIT_USERNAME: username ?? 'git', LOCKSTEP_GIT_PASSWORD_FILE: passwordFile };
  }

  async #ssh(): Promise<Record<string, string>> {
    const { sshKeyFile, knownHostsFile } = this.#auth;
    // What git is given is read by a shell (GIT_SSH_COMMAND), so it holds one path of our own; the rest is in a file.
    const file = await this.#write('ssh_config', sshConfig(sshKeyFile, knownHostsFile));
    return { GIT_SSH_COMMAND: `ssh -F ${shellQuoted(file)}`, GIT_SSH_VARIANT: 'ssh' };
  }

  async #write(name: string, text: string, mode = 0o600): Promise<string> {
    const path = join(this.#directory, name);
    await writeFile(path, text, { mode });
    return path;
  }
}

/** Host keys are pinned: nothing is accepted that the file does not hold. Without files, those of the daemon's user. */
function sshConfig(keyFile: string | undefined, knownHosts: string | undefined): string {
  const lines = [
    'BatchMode yes',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    'CheckHostIP no',
    'VerifyHostKeyDNS no',
    'ConnectTimeout 15',
    'ServerAliveInterval 15',
    'ServerAliveCountMax 3',
    'ForwardAgent no',
    'ForwardX11 no',
    'ClearAllForwardings yes',
    'PermitLocalCommand no',
    'ProxyCommand none',
    'ControlMaster no',
    'ControlPath none',
    'RequestTTY no',
  ];
  if (keyFile !== undefined) lines.push('IdentitiesOnly yes', 'IdentityAgent none', `IdentityFile ${sshPath(keyFile)}`);
  if (knownHosts !== undefined) lines.push('GlobalKnownHostsFile /dev/null', `UserKnownHostsFile ${sshPath(knownHosts)}`);
  return `Host *\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** In ssh_config(5), "%" begins a token. */
function sshPath(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

function shellQuoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}

/** As git-config(1) writes values. */
function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** A token is sent to the remote itself and to nobody it may point to. */
function origin(url: GitUrl): string {
  return /^https?:\/\/[^/]+\//.exec(url.text)?.[0] ?? url.text;
}

async function readSecret(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AppError('SOURCE_UNREADABLE', { file }, { message: `The secret file "${file}" cannot be read.`, cause });
  }
  const secret = text.trim();
  // eslint-disable-next-line no-control-regex -- a new line would begin another header
  if (secret === '' || text.length > MAX_SECRET_BYTES || /[\u0000-\u001f\u007f]/.test(secret)) {
    throw new AppError('SOURCE_UNREADABLE', { file }, { message: `The secret file "${file}" must hold one line, and not an empty one.` });
  }
  return secret;
}
