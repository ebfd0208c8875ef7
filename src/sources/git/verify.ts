// Whether a commit or tag was signed by one of the pinned keys. git asks ssh-keygen or gpg; neither is shown any key but the pinned ones, and
// only a signature that is good now counts: unknown, expired and revoked keys do not.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { git, GitFailed } from './command.ts';
import type { GitVerify } from './options.ts';

export interface Signed {
  readonly source: string;
  /** The mirror's directory. */
  readonly directory: string;
  /** For nobody else, below the run directory: keyring and settings of this verification. */
  readonly runDir: string;
  readonly commit: string;
  /** What the tag's ref holds; undefined for a branch or commit. */
  readonly tag: { readonly id: string; readonly ref: string } | undefined;
}

/** Resolves with who signed it. Rejects with SOURCE_REFUSED, or with SOURCE_UNREADABLE when the pinned keys cannot be read. */
export async function verifySigned(verify: GitVerify, signed: Signed, signal: AbortSignal): Promise<string> {
  const { runDir, directory, commit } = signed;
  const what = verify.require === 'commit' ? `commit ${commit.slice(0, 12)}` : `tag ${signed.tag?.ref ?? ''}`;
  const home = join(runDir, 'gnupg');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await rm(join(home, 'pubring.kbx'), { force: true });
  const keys = await Promise.all((verify.openpgpKeys ?? []).map((file) => readPinned(signed.source, file, parseKeys)));
  await writeFile(join(home, 'pubring.gpg'), Buffer.concat(keys), { mode: 0o600 });
  // The keyring holds pinned keys only, so each of them is trusted; none is looked for elsewhere.
  await writeFile(join(home, 'gpg.conf'), 'trust-model always\nno-auto-key-retrieve\nno-auto-key-locate\nno-autostart\n', { mode: 0o600 });
  const signers = join(runDir, 'allowed_signers');
  const pinned =
    verify.sshAllowedSigners === undefined ? Buffer.alloc(0) : await readPinned(signed.source, verify.sshAllowedSigners, (bytes) => bytes);
  await writeFile(signers, pinned, { mode: 0o600 });
  const configFile = join(runDir, 'verify-config');
  const settings = `[gpg "x509"]\nprogram = /bin/false\n[gpg "ssh"]\nallowedSignersFile = "${signers.replace(/["\\]/g, '\\$&')}"\n`;
  await writeFile(configFile, settings, { mode: 0o600 });

  const call = { directory, signal, configFile, env: { GNUPGHOME: home } };
  if (verify.require === 'tag') await checkTagName(signed, signal);
  try {
    const [command, id] = verify.require === 'commit' ? ['verify-commit', commit] : ['verify-tag', signed.tag?.id ?? commit];
    // Its exit code leaves out whose signature it is. gpg.minTrustLevel is no way to ask: with `trust-model always` gpg says nothing of trust,
    // which git takes for none from some version between 2.39 and 2.47 on.
    const signer = signerOf((await git([command, '--raw', id], call)).stderr);
    if (signer !== undefined) return signer;
    throw new GitFailed(command, 0, 'it does not say that the signature is good');
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    const missing = /cannot (?:run|exec) |No such file or directory/i.test(error.said);
    const hint = missing
      ? 'Install what checks signatures: apt-get install gpg openssh-client'
      : `Sign it with one of the pinned keys (git ${verify.require === 'commit' ? 'commit' : 'tag'} -s with a signing key), or pin its key.`;
    const why = error.said === '' ? 'it is not signed' : 'its signature is not one of a pinned key';
    const message = `The ${what} of source "${signed.source}" is refused: ${why}. The last good revision stays in force.`;
    throw new AppError('SOURCE_REFUSED', { source: signed.source, commit }, { message, hint, cause: error });
  }
}

/**
 * What git tells of a good signature: the words of ssh-keygen, or gpg's status lines (doc/DETAILS of GnuPG). Undefined for anything else, such as
 * an ssh signature that is right, but of nobody who is allowed (`Good "git" signature with ... key`).
 */
export function signerOf(said: string): string | undefined {
  const ssh = /^Good "git" signature for (.+) with \S+ key (\S+)$/m.exec(said);
  if (ssh !== null) return `${ssh[1]} (${ssh[2]})`;
  const name = /^\[GNUPG:\] GOODSIG \S+ (.+)$/m.exec(said)?.[1];
  const key = /^\[GNUPG:\] VALIDSIG (\S+)/m.exec(said)?.[1];
  return name === undefined || key === undefined ? undefined : `${name} (${key})`;
}

/** A signed tag says its own name: without this, the ref of a new version could hold an old version's signed tag. */
async function checkTagName({ source, directory, tag, commit }: Signed, signal: AbortSignal): Promise<void> {
  const short = tag?.ref.replace(/^refs\/tags\//, '') ?? '';
  const refuse = (why: string): never => {
    const message = `The tag "${short}" of source "${source}" is refused: ${why}. The last good revision stays in force.`;
    throw new AppError('SOURCE_REFUSED', { source, commit }, { message, hint: 'Make a signed tag of that name: git tag -s NAME' });
  };
  if (tag === undefined) return refuse('there is no tag');
  const type = (await git(['cat-file', '-t', tag.id], { directory, signal })).stdout.toString().trim();
  if (type !== 'tag') return refuse('it is a lightweight tag, which cannot be signed');
  const text = (await git(['cat-file', 'tag', tag.id], { directory, signal })).stdout.toString('utf8');
  const header = text.slice(0, text.indexOf('\n\n'));
  const name = /^tag (.*)$/m.exec(header)?.[1];
  const object = /^object ([0-9a-f]+)$/m.exec(header)?.[1];
  if (name !== short) refuse('the signed tag inside has another name');
  if (object !== commit) refuse('the signed tag names another object than a commit');
}

async function readPinned(source: string, file: string, parse: (bytes: Buffer) => Buffer): Promise<Buffer> {
  try {
    return parse(await readFile(file));
  } catch (cause) {
    throw new AppError(
      'SOURCE_UNREADABLE',
      { source, file },
      { message: `The pinned keys in "${file}" of source "${source}" cannot be used.`, cause },
    );
  }
}

/** Binary packets from an exported key, armoured (RFC 9580, section 6) or not: a keyring is nothing but keys one after the other. */
function parseKeys(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const blocks = [...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g)];
  if (blocks.length === 0) {
    // The first packet of an exported key has tag 6, in the old format or the new one.
    if (bytes[0] !== 0xc6 && (bytes[0] ?? 0) >> 2 !== 0x26) throw new Error('it holds no OpenPGP public key');
    return bytes;
  }
  return Buffer.concat(
    blocks.map((block) => {
      const lines = (block[1] ?? '').split(/\r?\n/);
      const body = lines.slice(lines.indexOf('') + 1).filter((line) => line !== '' && !line.startsWith('='));
      return Buffer.from(body.join(''), 'base64');
    }),
  );
}
