// `.lockstepignore`: which files of a source directory are no manifests. A subset of gitignore(5):
//
//   # comment, empty lines      nothing
//   NAME, *.draft.yaml          that name in this directory or any below
//   /a.yaml, dir/b.yaml         a slash at the start or inside: relative to the ignore file's directory
//   drafts/                     a slash at the end: directories only, with everything below
//   * ? [abc] [!a-z]            within one name;  ** as a whole segment: any number of directories
//   !keep.yaml                  takes back; the last rule that matches counts
//   \#x, \!x, \*                the character itself
//
// As in git, nothing below an ignored directory can be taken back. Deeper ignore files come after the ones above them.

export interface IgnoreRule {
  readonly negated: boolean;
  readonly directoriesOnly: boolean;
  /** Path segments below the ignore file's directory; a lone name was given a leading `**`. */
  readonly segments: readonly string[];
  /** The ignore file's directory, relative to the root, `` for the root itself. */
  readonly base: string;
}

/** Longer lines are no patterns people write; they are refused so that matching stays cheap. */
const MAX_PATTERN = 1000;
const MAX_RULES = 1000;

/** Throws a RangeError when there are too many rules or too long ones. */
export function parseIgnore(text: string, base: string): readonly IgnoreRule[] {
  const rules: IgnoreRule[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = trimEnd(raw);
    if (line === '' || line.startsWith('#')) continue;
    if (line.length > MAX_PATTERN || rules.length >= MAX_RULES) {
      throw new RangeError(`it has more than ${MAX_RULES} patterns or one longer than ${MAX_PATTERN} characters`);
    }
    const negated = line.startsWith('!');
    const pattern = negated ? line.slice(1) : line;
    const directoriesOnly = pattern.endsWith('/');
    const body = directoriesOnly ? pattern.slice(0, -1) : pattern;
    const anchored = body.includes('/');
    const segments = body.split('/').filter((segment) => segment !== '');
    if (segments.length === 0) continue;
    rules.push({ negated, directoriesOnly, base, segments: anchored ? segments : ['**', ...segments] });
  }
  return rules;
}

/** `path`: relative to the root, with `/`. */
export function isIgnored(rules: readonly IgnoreRule[], path: string, isDirectory: boolean): boolean {
  for (let n = rules.length - 1; n >= 0; n--) {
    const rule = rules[n]!;
    if (rule.directoriesOnly && !isDirectory) continue;
    const below = rule.base === '' ? path : path.startsWith(`${rule.base}/`) ? path.slice(rule.base.length + 1) : undefined;
    if (below !== undefined && matchSegments(rule.segments, below.split('/'))) return !rule.negated;
  }
  return false;
}

function trimEnd(line: string): string {
  // Trailing spaces do not count unless escaped.
  return line.replace(/(?<!\\)[ \t]+$/, '');
}

/** Wildcard matching over segments, where `**` stands for any number of them: the last `**` is retried, so it is O(n m). */
function matchSegments(pattern: readonly string[], path: readonly string[]): boolean {
  return matchStars(
    pattern.length,
    path.length,
    (p) => pattern[p] === '**',
    (p, s) => matchName(pattern[p]!, path[s]!),
  );
}

interface Token {
  readonly star: boolean;
  readonly matches: (character: string) => boolean;
}

function matchName(pattern: string, name: string): boolean {
  const tokens = tokenize(pattern);
  const characters = Array.from(name);
  return matchStars(
    tokens.length,
    characters.length,
    (p) => tokens[p]!.star,
    (p, s) => tokens[p]!.matches(characters[s]!),
  );
}

/** The classic greedy match with one point to go back to; no pattern makes it explode. */
function matchStars(
  patternLength: number,
  subjectLength: number,
  isStar: (p: number) => boolean,
  matches: (p: number, s: number) => boolean,
): boolean {
  let p = 0;
  let s = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (s < subjectLength) {
    if (p < patternLength && isStar(p)) {
      starAt = p;
      resumeAt = s;
      p += 1;
    } else if (p < patternLength && matches(p, s)) {
      p += 1;
      s += 1;
    } else if (starAt >= 0) {
      p = starAt + 1;
      resumeAt += 1;
      s = resumeAt;
    } else {
      return false;
    }
  }
  while (p < patternLength && isStar(p)) p += 1;
  return p === patternLength;
}

function tokenize(pattern: string): Token[] {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let n = 0; n < characters.length; n++) {
    const character = characters[n]!;
    if (character === '*') tokens.push({ star: true, matches: () => true });
    else if (character === '?') tokens.push({ star: false, matches: () => true });
    else if (character === '\\' && n + 1 < characters.length) tokens.push(literal(characters[++n]!));
    else if (character === '[' && characters.indexOf(']', n + 2) > 0) {
      const end = characters.indexOf(']', n + 2);
      tokens.push(characterSet(characters.slice(n + 1, end)));
      n = end;
    } else tokens.push(literal(character));
  }
  return tokens;
}

function literal(wanted: string): Token {
  return { star: false, matches: (character) => character === wanted };
}

function characterSet(body: readonly string[]): Token {
  const negated = body[0] === '!' || body[0] === '^';
  const members = negated ? body.slice(1) : body;
  function has(character: string): boolean {
    for (let n = 0; n < members.length; n++) {
      if (members[n + 1] === '-' && n + 2 < members.length) {
        if (character >= members[n]! && character <= members[n + 2]!) return true;
        n += 2;
      } else if (members[n] === character) return true;
    }
    return false;
  }
  return { star: false, matches: (character) => has(character) !== negated };
}
